"""Spark with Delta Lake, as one process on this machine, for small tables. Not for what is asked of it."""
import collections
import pathlib
import re

from pyspark.sql import SparkSession

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    # Texts stand in SQL as they are, but for quotation marks.
    "spark.sql.parser.escapedStringLiterals": "true",
    # Most of the time goes into plans and small tasks: neither is made better than it must be.
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
# So many scans are one query.
SCANS = 100


class Spark:
    """A session, with the jars of Delta Lake that are in a folder."""

    def __init__(self, folder):
        jars = ",".join(str(jar) for jar in sorted(pathlib.Path(folder).glob("delta-*.jar")))
        builder = SparkSession.builder.master("local[2]").config("spark.jars", jars)
        for name, value in SETTINGS.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()

    def counts(self, path, conditions):
        """How many rows of a table each condition holds for. Each is a scan of its own, with its own choice of files."""
        self.session.read.format("delta").load(path).createOrReplaceTempView("t")
        counts = collections.Counter()
        for begin in range(0, len(conditions), SCANS):
            scans = enumerate(conditions[begin:begin + SCANS], begin)
            scans = [f"select {at} as at from t where {self.of(condition)}" for at, condition in scans]
            counts.update(at for at, in self.session.sql(" union all ".join(scans)).coalesce(1).collect())
        return [counts[at] for at in range(len(conditions))]

    def of(self, condition):
        """As Spark has it: names of columns stand first, and have marks of their own."""
        return re.sub(r'(^|AND )"(\w+)"', r"\1`\2`", condition).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")

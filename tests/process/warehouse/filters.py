"""Filters every column of every table of a node, and compares each answer with the rows themselves.

Takes the folder of the tables and a JSON file {epoch, views: {view: {key: row}}} of what the node answered at that epoch.
The rows are read from the files that the logs name, without their statistics; those of `<view>_current` must be the views'.
Then each reader is asked by `=` and by a range for values of each column, and for its nulls. With
TRADEWIND_TEST_READERS=all every operator is asked, and polars, DataFusion, DuckDB's own reader of
Delta and Spark too, whose Delta Lake is in the folder of jars that is the third argument. Prints JSON: how many questions were asked, and of whom; a wrong answer ends it.
"""
import collections
import datetime
import decimal
import json
import os
import pathlib
import sys

import deltalake
import duckdb
import pyarrow.dataset as ds

COLUMN = "@column@"
ALL = os.environ.get("TRADEWIND_TEST_READERS") == "all"
OPERATORS = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<>": lambda a, b: a != b,
}


def literal(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return f"TIMESTAMP WITH TIME ZONE '{value.astimezone(datetime.timezone.utc).isoformat(sep=' ')}'"
    if isinstance(value, datetime.date):
        return f"DATE '{value}'"
    if isinstance(value, decimal.Decimal):
        return f"CAST('{value}' AS DECIMAL(18, 4))"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def questions(values):
    """Conditions in SQL and on a value, and expressions of Arrow; of several values, the middle one comes first."""
    values = sorted(set(values))
    for value in dict.fromkeys([values[len(values) // 2], values[0], values[-1]]):
        for name in OPERATORS if ALL else ["="]:
            yield (
                f"{COLUMN} {name} {literal(value)}",
                lambda cell, name=name, value=value: cell is not None and OPERATORS[name](cell, value),
                lambda field, name=name, value=value: OPERATORS[name](field, value),
            )
    least, greatest = values[len(values) // 3], values[2 * len(values) // 3]
    yield (
        f"{COLUMN} >= {literal(least)} AND {COLUMN} <= {literal(greatest)}",
        lambda cell: cell is not None and least <= cell <= greatest,
        lambda field: (field >= least) & (field <= greatest),
    )


def count(cursor, source, where):
    return cursor.execute(f"select count(*) from {source} where {where}").fetchone()[0]


def by_readers(path, table, name, cursor):
    """What each reader counts that is asked one by one: by a condition in SQL, or by an expression of Arrow."""
    dataset = table.to_pyarrow_dataset()
    cursor.register("dataset", dataset)
    files = ", ".join("'" + file.replace("'", "''") + "'" for file in table.file_uris())
    plain = f"read_parquet([{files}], hive_partitioning = true)"
    yield "delta-rs", lambda sql, arrow: dataset.count_rows(filter=arrow)
    yield "DuckDB over delta-rs", lambda sql, arrow: count(cursor, "dataset", sql)
    yield "DuckDB over the files", lambda sql, arrow: count(cursor, plain, sql)
    if ALL:
        import polars

        frame = polars.scan_delta(path)
        context = polars.SQLContext({"t": frame})
        yield "polars", lambda sql, arrow: context.execute(
            f"select count(*) as n from t where {polars_sql(sql)}"
        ).collect()["n"][0]
        builder = deltalake.QueryBuilder().register("t", table)

        def by_datafusion(sql, arrow):
            return sum(batch.num_rows for batch in rows_of(builder.execute(f"select \"{name}\" from t where {sql}")))

        yield "DataFusion", by_datafusion


def duckdb_delta():
    """The Delta extension of this DuckDB, which reads logs by itself."""
    import duckdb_extension_delta

    folder = pathlib.Path(duckdb_extension_delta.__file__).parent
    return folder / "extensions" / f"v{duckdb.__version__}" / "delta.duckdb_extension"


def by_slow_readers(path, cursor, spark, conditions):
    """What readers count that are asked all of a table at once."""
    yield "DuckDB's Delta", [count(cursor, f"delta_scan('{path}')", sql) for sql in conditions]
    yield "Spark", spark.counts(path, conditions)


def rows_of(result):
    import pyarrow

    return pyarrow.table(result.read_all()).to_batches()


def polars_sql(sql):
    """Polars has no texts of this kind of time; it reads them where it expects one."""
    return sql.replace("TIMESTAMP WITH TIME ZONE ", "")


def for_slow_readers(every):
    """A question takes them up to a tenth of a second: every operator with one value, the others with `=`."""
    asked = set()
    for question in every:
        name = question[0].split()[1]
        if name not in asked or name in ("=", "IS") or " AND " in question[0]:
            yield question
        asked.add(name)


def columns_of(row, names):
    """The columns that a view's row comes to: of what is nested, the parts that have columns, or its JSON."""
    for name, value in row.items():
        name = "decided_epoch" if name == "epoch" else name
        if isinstance(value, dict) and "amount" in value:
            yield name, decimal.Decimal(value["amount"])
            if "currency" not in row:
                yield "currency", value["currency"]
        elif isinstance(value, dict) and name not in names:
            for inner, part in value.items():
                yield (f"{name}_{inner}" if f"{name}_{inner}" in names else inner), part
        else:
            yield name, value


def same_as_view(table, names, rows, view):
    """Each row as the node answered it; what the node leaves out is null."""
    keys = {row[names.index("key")] for row in rows}
    assert keys == set(view), (table, "keys", keys ^ set(view))
    for row in rows:
        expected = dict(columns_of(view[row[names.index("key")]], names))
        for name, cell in zip(names, row):
            value = expected.get(name)
            if name == "key":
                continue
            if isinstance(cell, datetime.datetime):
                value = datetime.datetime.fromisoformat(value)
            elif isinstance(value, (dict, list)):
                cell = json.loads(cell)
            assert cell == value, (table, name, cell, value)
    return len(rows) * (len(names) - 1)


def main():
    root, task = pathlib.Path(sys.argv[1]), json.load(open(sys.argv[2]))
    cursor = duckdb.connect()
    cursor.execute("set TimeZone = 'UTC'")
    asked, compared, tables = collections.Counter(), 0, 0
    spark = None
    if ALL:
        from spark import Spark

        spark = Spark(sys.argv[3])
        cursor.execute(f"load '{duckdb_delta()}'")
    for folder in sorted(root.glob("*/_delta_log")):
        path = str(folder.parent)
        table = deltalake.DeltaTable(path)
        if not table.file_uris():
            continue
        tables += 1
        result = cursor.execute("select * from read_parquet(?, hive_partitioning = true)", [table.file_uris()])
        names = [name for name, *_ in result.description]
        rows = result.fetchall()
        view = folder.parent.name.removesuffix("_current")
        if view != folder.parent.name:
            compared += same_as_view(path, names, rows, task["views"][view])
        slow = []
        for at, name in enumerate(names):
            cells = [row[at] for row in rows]
            held = [cell for cell in cells if cell is not None]
            every = list(questions(held)) if held else []
            every.append((f"{COLUMN} IS NULL", lambda cell: cell is None, lambda field: field.is_null()))
            for reader, ask in by_readers(path, table, name, cursor):
                for sql, is_so, arrow in every:
                    expected = sum(map(is_so, cells))
                    sql = sql.replace(COLUMN, f'"{name}"')
                    found = ask(sql, arrow(ds.field(name)))
                    assert found == expected, (reader, path, sql, found, expected)
                    asked[reader] += 1
            for sql, is_so, _ in for_slow_readers(every):
                slow.append((sql.replace(COLUMN, f'"{name}"'), sum(map(is_so, cells))))
        for reader, answers in by_slow_readers(path, cursor, spark, [sql for sql, _ in slow]) if ALL else ():
            for (sql, expected), found in zip(slow, answers, strict=True):
                assert found == expected, (reader, path, sql, found, expected)
                asked[reader] += 1
    print(json.dumps({"tables": tables, "asked": sum(asked.values()), "compared": compared, "by": asked}))


main()

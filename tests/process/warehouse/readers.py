"""Reads the tables of a node as analysts do. Takes what to do and the folder of the tables; prints JSON.

compare: every table by delta-rs with polars, by DuckDB over the files that its log names, and by DuckDB over the plain
folder, at one epoch, whatever is being written meanwhile. Fails at the first difference.
same OTHER: every fact of two nodes, but for when it was decided. Fails at the first table that differs.
sql FILES EPOCH PATH: with the folder of what `export sql` printed instead of the tables; runs every file of SQL over those
views, by the DuckDB that is in PATH if there is one, and gives its rows. Polars must have the same revenue.
spark SQL JARS: with the folder of the tables; the revenue of what `export sql spark` printed, by Spark. Every table must have
as many rows there as by delta-rs.
standalone SAID: what Delta Standalone said of the tables, held against the files that delta-rs finds, and their rows.
"""
import decimal
import json
import pathlib
import sys

if sys.argv[1] == "sql" and sys.argv[5]:
    sys.path.insert(0, sys.argv[5])

import deltalake
import duckdb
import polars


REVENUE = "period, currency, country, category, gross, returned, adjusted, net"


def sums_of_polars(frame):
    sums = {"rows": frame.height}
    for name, kind in frame.schema.items():
        column = frame[name]
        if kind == polars.String:
            column = column.str.len_bytes()
        elif kind.is_temporal():
            column = column.dt.epoch("us") if kind != polars.Date else column.cast(polars.Int32)
        elif kind == polars.Boolean:
            column = column.cast(polars.Int64)
        sums[name] = int(column.cast(polars.Decimal(38, 4)).sum() or 0)
    return sums


def sums_of_duckdb(source, files, where):
    described = duckdb.execute(f"describe select * from {source}", files).fetchall()
    parts = ["count(*)"]
    for name, kind, *_ in described:
        if kind == "VARCHAR":
            part = f'strlen("{name}")'
        elif kind == "DATE":
            part = f"\"{name}\" - date '1970-01-01'"
        elif kind.startswith("TIMESTAMP"):
            part = f'epoch_us("{name}")'
        else:
            part = f'"{name}"'
        parts.append(f"coalesce(sum(({part})::decimal(38, 4)), 0)")
    row = duckdb.execute(f"select {', '.join(parts)} from {source} {where}", files).fetchone()
    return {"rows": row[0]} | {name: int(value) for (name, *_), value in zip(described, row[1:])}


def compare(root):
    epoch = json.loads((root / "_progress.json").read_text())["epoch"]
    rows = 0
    for folder in sorted(root.glob("*/_delta_log")):
        path = str(folder.parent)
        table = deltalake.DeltaTable(path)
        is_dated = "date" in table.metadata().partition_columns
        files = table.file_uris()
        frame = polars.read_delta(path, version=table.version())
        if is_dated:
            frame = frame.filter(polars.col("epoch") <= epoch)
        rows += frame.height
        if not files:
            assert not is_dated or not list(folder.parent.glob("date=*/*.parquet")) or frame.height == 0, path
            continue
        expected = sums_of_polars(frame)
        where = f"where epoch <= {epoch}" if is_dated else ""
        found = sums_of_duckdb("read_parquet(?, hive_partitioning = true)", [files], where)
        assert found == expected, (path, "over its log", found, expected)
        if is_dated:
            glob = f"read_parquet('{path}/date=*/*.parquet', hive_partitioning = true)"
            found = sums_of_duckdb(glob, [], where)
            assert found == expected, (path, "over the folder", found, expected)
    return {"epoch": epoch, "rows": rows}


def same(root, other):
    rows = 0
    for table in ["order_lines", "credit_lines", "adjustments", "payments", "stock_movements"]:
        files = [deltalake.DeltaTable(str(folder / table)).file_uris() for folder in (root, other)]
        facts = "(select * exclude (epoch, n) from read_parquet(?, hive_partitioning = true))"
        counts = [duckdb.execute(f"select count(*) from {facts}", [one]).fetchone()[0] for one in files]
        lacks = duckdb.execute(f"select count(*) from (select * from {facts} except all select * from {facts})", files)
        assert counts[0] == counts[1] and lacks.fetchone()[0] == 0, (table, counts)
        rows += counts[0]
    return {"rows": rows}


def sql(scripts, folder, epoch):
    duckdb.execute("set autoinstall_known_extensions = false; set autoload_known_extensions = false")
    duckdb.execute(f"set variable epoch = {int(epoch)}")
    duckdb.execute((scripts / "views.sql").read_text())
    answers = {file.stem: duckdb.execute(file.read_text()).fetchall() for file in sorted(folder.glob("*.sql"))}
    revenue = duckdb.execute(f"select {REVENUE} from revenue order by all").fetchall()
    answers["revenue"] = revenue
    frames = {}
    exec((scripts / "views.py").read_text(), frames)
    found = frames["revenue"].collect().select(REVENUE.split(", ")).rows()
    assert sorted(map(repr, found)) == sorted(map(repr, revenue)), (found, revenue)
    # Every table has its view and its frame, with the same columns and as many rows.
    tables = [name for name, in duckdb.execute("select view_name from duckdb_views() where not internal").fetchall()]
    for name in tables:
        result = duckdb.execute(f"select * from {name}")
        columns, rows = [column for column, *_ in result.description], len(result.fetchall())
        frame = frames[name].collect()
        assert frame.height == rows and set(frame.columns) == set(columns), (name, rows, frame)
    return {"version": duckdb.execute("select version()").fetchone()[0], "tables": len(tables), "answers": answers}


def by_spark(root, sql, jars):
    from spark import Spark

    session = Spark(jars).session
    for statement in pathlib.Path(sql).read_text().split(";\n"):
        if statement.strip():
            session.sql(statement)
    counts = {}
    for folder in sorted(root.glob("*/_delta_log")):
        name = folder.parent.name
        counts[name] = session.table(name).count()
        assert counts[name] == deltalake.DeltaTable(str(folder.parent)).count(), (name, counts)
    revenue = sorted(map(tuple, session.sql(f"select {REVENUE} from revenue").collect()), key=repr)
    return {"tables": len(counts), "rows": sum(counts.values()), "revenue": revenue}


def by_standalone(root, said):
    """Each cell as text; those of times and money are not among them."""
    answers = {"tables": 0, "rows": 0, "without_first": 0}
    for line in pathlib.Path(said).read_text().splitlines():
        said = json.loads(line)
        table = deltalake.DeltaTable(said["table"])
        files = table.file_uris()
        assert said["version"] == table.version(), said["table"]
        assert sorted(f"{said['table']}/{file}" for file in said["files"]) == sorted(files), said["table"]
        columns = ", ".join(f'"{name}"::varchar' for name in said["columns"])
        source = f"select {columns} from read_parquet(?, hive_partitioning = true)"
        rows = duckdb.execute(source, [files]).fetchall() if files else []
        found = [tuple(row) for row in said["rows"]]
        assert sorted(found, key=repr) == sorted(rows, key=repr), (said["table"], found, rows)
        first = pathlib.Path(said["table"]) / "_delta_log" / f"{0:020}.json"
        is_dated = "date" in table.metadata().partition_columns
        answers["without_first"] += is_dated and not first.exists()
        answers["tables"] += 1
        answers["rows"] += len(rows)
    return answers


def main():
    duckdb.execute("set TimeZone = 'UTC'")
    root = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "compare":
        said = compare(root)
    elif sys.argv[1] == "same":
        said = same(root, pathlib.Path(sys.argv[3]))
    elif sys.argv[1] == "spark":
        said = by_spark(root, *sys.argv[3:])
    elif sys.argv[1] == "standalone":
        said = by_standalone(root, sys.argv[3])
    else:
        said = sql(root, pathlib.Path(sys.argv[3]), sys.argv[4])
    print(json.dumps(said, default=lambda value: format(value, "f") if isinstance(value, decimal.Decimal) else str(value)))


main()

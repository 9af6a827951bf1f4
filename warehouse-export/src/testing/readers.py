"""Reads the tables as analysts do, and compares every row with what is expected.

Takes a JSON file {root, tables: {name: {dated, columns: [name], rows: [[cell]]}}}, where money is in ten-thousandths and
times are in microseconds. Prints a line for each reader; fails at the first difference.
"""
import datetime
import decimal
import json
import sys

import deltalake
import duckdb
import polars

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


def cell(value):
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, decimal.Decimal):
        return int(value * 10_000)
    if isinstance(value, datetime.datetime):
        return (value.astimezone(datetime.timezone.utc) - EPOCH) // MICROSECOND
    return value


def order(row):
    return [(value is not None, str(type(value)), value) for value in row]


def by_delta_rs(path, columns):
    table = deltalake.DeltaTable(path)
    files = table.file_uris()
    if not files:
        return []
    # The rows of the files that the log names, one file after the other.
    return polars.concat([polars.read_parquet(file, hive_partitioning=False) for file in files]).select(columns).rows()


def by_polars(path, columns):
    return polars.read_delta(path).select(columns).rows()


def by_polars_filtered(path, columns):
    """As two halves by the first number that differs, so that the statistics in the log decide which files are read."""
    frame = polars.read_delta(path)
    for name in columns:
        kind = frame.schema[name]
        if frame.height and (kind.is_integer() or kind.is_temporal() or kind.is_decimal()) and frame[name].n_unique() > 1:
            middle = frame[name].drop_nulls().sort()[frame[name].drop_nulls().len() // 2]
            lazy = polars.scan_delta(path)
            column = polars.col(name)
            parts = [lazy.filter(column < middle), lazy.filter(column >= middle), lazy.filter(column.is_null())]
            return polars.concat([part.collect() for part in parts]).select(columns).rows()
    return frame.select(columns).rows()


def by_duckdb_over_the_log(path, columns):
    files = deltalake.DeltaTable(path).file_uris()
    names = ", ".join(f'"{name}"' for name in columns)
    return duckdb.execute(f"select {names} from read_parquet(?)", [files]).fetchall() if files else []


def by_duckdb_over_the_folder(path, columns):
    names = ", ".join(f'"{name}"' for name in columns)
    return duckdb.sql(f"select {names} from read_parquet('{path}/date=*/*.parquet')").fetchall()


def main():
    duckdb.execute("set TimeZone = 'UTC'")
    task = json.load(open(sys.argv[1]))
    readers = [by_delta_rs, by_polars, by_polars_filtered, by_duckdb_over_the_log, by_duckdb_over_the_folder]
    for reader in readers:
        count = 0
        for name, table in task["tables"].items():
            if reader is by_duckdb_over_the_folder and not (table["dated"] and table["rows"]):
                continue
            rows = reader(f"{task['root']}/{name}", table["columns"])
            rows = sorted(([cell(value) for value in row] for row in rows), key=order)
            expected = sorted(table["rows"], key=order)
            if rows != expected:
                different = [pair for pair in zip(rows, expected) if pair[0] != pair[1]][:1]
                sys.exit(f"{reader.__name__}: {name}: {len(rows)} rows for {len(expected)}: {different}")
            count += len(rows)
        print(f"{reader.__name__}: {count} rows agree")


main()

"""Writes the rows of all tables of facts and changes again with DuckDB's COPY, by one thread and by all; prints JSON."""
import json
import pathlib
import sys
import time

import duckdb

root, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
target.mkdir()
tables, rows = [], 0
duckdb.execute("set enable_progress_bar = false")
for folder in sorted(root.iterdir()):
    if list(folder.glob("date=*/*.parquet")):
        name = folder.name
        duckdb.execute(f"create table {name} as from read_parquet('{folder}/date=*/*.parquet', hive_partitioning = true)")
        rows += duckdb.execute(f"select count(*) from {name}").fetchone()[0]
        tables.append(name)
said = {"version": duckdb.__version__, "rows": rows}
for label, threads in [("one_thread", 1), ("all_threads", None)]:
    duckdb.execute(f"set threads = {threads}" if threads else "reset threads")
    started, cpu = time.perf_counter(), time.process_time()
    for name in tables:
        duckdb.execute(f"copy {name} to '{target}/{label}-{name}.parquet' (format parquet, compression zstd)")
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in target.glob(f"{label}-*"))
    said[label] = {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "rows_per_s": rows / seconds,
        "mb_per_s": size / 1e6 / seconds,
        "bytes_a_row": size / rows,
    }
print(json.dumps(said))

-- Views over the tables for DuckDB. First say where the tables are:
--   SET VARIABLE warehouse = 'tradewind-data/warehouse';
-- Facts and changes are read as plain files, which is right until somebody compacts; `date=*`, since the log has files of
-- its own. From then on, and for `<view>_current`, read a table through its Delta log instead, as the README shows or with
--   INSTALL delta; LOAD delta; ... FROM delta_scan('<folder>/<table>').
-- Such a view can be made as soon as its table has a row.
CREATE OR REPLACE VIEW order_lines AS FROM read_parquet(getvariable('warehouse') || '/order_lines/date=*/*.parquet', hive_partitioning = true);
CREATE OR REPLACE VIEW payments AS FROM read_parquet(getvariable('warehouse') || '/payments/date=*/*.parquet', hive_partitioning = true);
CREATE OR REPLACE VIEW stock_movements AS FROM read_parquet(getvariable('warehouse') || '/stock_movements/date=*/*.parquet', hive_partitioning = true);
CREATE OR REPLACE VIEW events AS FROM read_parquet(getvariable('warehouse') || '/events/date=*/*.parquet', hive_partitioning = true);
CREATE OR REPLACE VIEW orders_changes AS FROM read_parquet(getvariable('warehouse') || '/orders_changes/date=*/*.parquet', hive_partitioning = true);
CREATE OR REPLACE VIEW stock_changes AS FROM read_parquet(getvariable('warehouse') || '/stock_changes/date=*/*.parquet', hive_partitioning = true);
CREATE OR REPLACE VIEW revenue_changes AS FROM read_parquet(getvariable('warehouse') || '/revenue_changes/date=*/*.parquet', hive_partitioning = true);
-- Many a shop never has one of these. DuckDB gives a folder without files one column, `empty`.
CREATE OR REPLACE VIEW credit_lines AS SELECT COLUMNS(lambda name: name <> 'empty') FROM (
    FROM read_parquet(getvariable('warehouse') || '/credit_lines/date=*/*.parquet', hive_partitioning = true, allow_empty = true)
    UNION ALL BY NAME SELECT '' AS credit_id, * EXCLUDE order_id FROM order_lines WHERE false
);
CREATE OR REPLACE VIEW adjustments AS SELECT COLUMNS(lambda name: name <> 'empty') FROM (
    FROM read_parquet(getvariable('warehouse') || '/adjustments/date=*/*.parquet', hive_partitioning = true, allow_empty = true)
    UNION ALL BY NAME SELECT '' AS adjustment_id, amount, currency, country, customer_id, occurred_at, epoch, n, date
    FROM order_lines WHERE false
);

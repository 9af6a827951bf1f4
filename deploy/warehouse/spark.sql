-- Views over the tables for Spark with Delta Lake, and the questions of `duckdb/`. Replace ${warehouse} by the folder, or
-- run with `spark-sql -d warehouse=...`.
CREATE OR REPLACE TEMPORARY VIEW order_lines AS SELECT * FROM delta.`${warehouse}/order_lines`;
CREATE OR REPLACE TEMPORARY VIEW credit_lines AS SELECT * FROM delta.`${warehouse}/credit_lines`;
CREATE OR REPLACE TEMPORARY VIEW adjustments AS SELECT * FROM delta.`${warehouse}/adjustments`;
CREATE OR REPLACE TEMPORARY VIEW payments AS SELECT * FROM delta.`${warehouse}/payments`;
CREATE OR REPLACE TEMPORARY VIEW stock_movements AS SELECT * FROM delta.`${warehouse}/stock_movements`;
CREATE OR REPLACE TEMPORARY VIEW stock_changes AS SELECT * FROM delta.`${warehouse}/stock_changes`;
CREATE OR REPLACE TEMPORARY VIEW orders_current AS SELECT * FROM delta.`${warehouse}/orders_current`;

-- Monthly revenue by country.
WITH countries AS (SELECT DISTINCT order_id, country FROM order_lines),
refunds AS (
    SELECT p.*, c.country FROM payments p JOIN countries c ON c.order_id = p.order_id
    WHERE p.kind = 'RefundIssued' AND NOT (p.reason <=> 'late_capture')
),
money AS (
    SELECT occurred_at, currency, country, amount AS gross, 0 AS returned, 0 AS adjusted FROM order_lines
    UNION ALL SELECT occurred_at, currency, country, 0, amount, 0 FROM credit_lines
    UNION ALL SELECT occurred_at, currency, country, 0, 0, amount FROM adjustments
    UNION ALL SELECT occurred_at, currency, country, 0, amount, 0 FROM refunds
        WHERE reason IN ('returned', 'cancelled', 'shipment_failed')
    UNION ALL SELECT occurred_at, currency, country, 0, 0, -amount FROM refunds
        WHERE reason IS NULL OR reason NOT IN ('returned', 'cancelled', 'shipment_failed')
)
SELECT date_format(occurred_at, 'yyyy-MM') AS month, currency, country,
    sum(gross) AS gross, sum(returned) AS returned, sum(adjusted) AS adjusted,
    sum(gross) - sum(returned) + sum(adjusted) AS net
FROM money GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- Returns.
SELECT sku, -sum(CASE WHEN reason = 'shipped' THEN quantity END) AS shipped,
    sum(CASE WHEN reason IN ('returned', 'credited', 'shipment_cancelled') THEN quantity END) AS came_back
FROM stock_movements GROUP BY sku HAVING came_back > 0 ORDER BY came_back DESC, sku;

-- Cohorts.
WITH orders AS (
    SELECT DISTINCT customer_id, order_id, trunc(occurred_at, 'MM') AS month FROM order_lines WHERE customer_id IS NOT NULL
),
firsts AS (SELECT customer_id, min(month) AS cohort FROM orders GROUP BY customer_id)
SELECT cohort, CAST(months_between(month, cohort) AS INT) AS months_later,
    count(DISTINCT orders.customer_id) AS customers, count(*) AS orders
FROM orders JOIN firsts ON firsts.customer_id = orders.customer_id GROUP BY 1, 2 ORDER BY 1, 2;

-- Stock as of epoch 100.
SELECT key AS sku, on_hand, reserved, available FROM stock_changes WHERE epoch <= 100
GROUP BY key, on_hand, reserved, available HAVING sum(diff) = 1 ORDER BY sku;

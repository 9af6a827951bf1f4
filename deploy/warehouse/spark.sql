-- The questions of `duckdb/` for Spark with Delta Lake, over the views of `tradewind export sql spark`: the same columns, the
-- same answers. ${epoch} is the epoch that the last question asks for.
-- Revenue by month, currency and country.
WITH countries AS (SELECT DISTINCT order_id, country FROM order_lines),
refunds AS (
    SELECT payments.*, countries.country FROM payments JOIN countries USING (order_id)
    WHERE kind = 'RefundIssued' AND reason IS DISTINCT FROM 'late_capture'
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
FROM money GROUP BY ALL ORDER BY ALL;

-- What came back.
WITH moved AS (
    SELECT sku, -sum(quantity) FILTER (WHERE reason = 'shipped') AS shipped,
        sum(quantity) FILTER (WHERE reason IN ('returned', 'credited', 'shipment_cancelled')) AS came_back
    FROM stock_movements GROUP BY sku
)
SELECT sku, shipped, came_back, round(1000 * came_back / shipped) / 1000 AS share
FROM moved WHERE shipped > 0 AND came_back > 0 ORDER BY share DESC, sku LIMIT 10;

-- Customers by their first month.
WITH orders AS (
    SELECT DISTINCT customer_id, order_id, trunc(occurred_at, 'MM') AS month FROM order_lines WHERE customer_id IS NOT NULL
),
firsts AS (SELECT customer_id, min(month) AS cohort FROM orders GROUP BY customer_id)
SELECT date_format(cohort, 'yyyy-MM') AS cohort, CAST(months_between(month, cohort) AS INT) AS months_later,
    count(DISTINCT customer_id) AS customers, count(*) AS orders
FROM orders JOIN firsts USING (customer_id) GROUP BY ALL ORDER BY ALL;

-- Lowest and highest stock.
WITH running AS (
    SELECT sku, quantity, sum(quantity) OVER (PARTITION BY sku ORDER BY occurred_at, reference, line) AS balance
    FROM stock_movements
)
SELECT sku, min(balance) AS lowest, max(balance) AS highest, count(*) AS movements, sum(quantity) AS balance
FROM running GROUP BY sku ORDER BY sku;

-- Orders now, by status.
SELECT status, count(*) AS orders FROM orders_current GROUP BY status ORDER BY status;

-- Stock as it was at an epoch.
SELECT key AS sku, on_hand, reserved, available FROM stock_changes WHERE epoch <= ${epoch}
GROUP BY ALL HAVING sum(diff) = 1 ORDER BY sku;

-- The questions of `duckdb/` for Synapse serverless, over the views of `tradewind export sql synapse`: the same columns, the
-- same answers.
-- Revenue by month, currency and country.
WITH countries AS (SELECT DISTINCT order_id, country FROM order_lines),
refunds AS (
    SELECT p.occurred_at, p.currency, p.amount, p.reason, c.country FROM payments AS p
    JOIN countries AS c ON c.order_id = p.order_id
    WHERE p.kind = 'RefundIssued' AND (p.reason IS NULL OR p.reason <> 'late_capture')
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
SELECT CONVERT(char(7), occurred_at, 126) AS month, currency, country,
    SUM(gross) AS gross, SUM(returned) AS returned, SUM(adjusted) AS adjusted,
    SUM(gross) - SUM(returned) + SUM(adjusted) AS net
FROM money GROUP BY CONVERT(char(7), occurred_at, 126), currency, country ORDER BY month, currency, country;

-- What came back.
WITH moved AS (
    SELECT sku, -SUM(CASE WHEN reason = 'shipped' THEN quantity END) AS shipped,
        SUM(CASE WHEN reason IN ('returned', 'credited', 'shipment_cancelled') THEN quantity END) AS came_back
    FROM stock_movements GROUP BY sku
)
SELECT TOP 10 sku, shipped, came_back, ROUND(1000 * CAST(came_back AS float) / shipped, 0) / 1000 AS share
FROM moved WHERE shipped > 0 AND came_back > 0 ORDER BY share DESC, sku;

-- Customers by their first month.
WITH orders AS (
    SELECT DISTINCT customer_id, order_id, DATEFROMPARTS(YEAR(occurred_at), MONTH(occurred_at), 1) AS month
    FROM order_lines WHERE customer_id IS NOT NULL
),
firsts AS (SELECT customer_id, MIN(month) AS cohort FROM orders GROUP BY customer_id)
SELECT CONVERT(char(7), f.cohort, 126) AS cohort, DATEDIFF(month, f.cohort, o.month) AS months_later,
    COUNT(DISTINCT o.customer_id) AS customers, COUNT(*) AS orders
FROM orders AS o JOIN firsts AS f ON f.customer_id = o.customer_id
GROUP BY CONVERT(char(7), f.cohort, 126), DATEDIFF(month, f.cohort, o.month) ORDER BY cohort, months_later;

-- Lowest and highest stock. What such a window is ordered by may have 900 bytes.
WITH running AS (
    SELECT sku, quantity,
        SUM(quantity) OVER (PARTITION BY sku ORDER BY occurred_at, CAST(reference AS varchar(512)), line) AS balance
    FROM stock_movements
)
SELECT sku, MIN(balance) AS lowest, MAX(balance) AS highest, COUNT(*) AS movements, SUM(quantity) AS balance
FROM running GROUP BY sku ORDER BY sku;

-- Orders now, by status.
SELECT status, COUNT(*) AS orders FROM orders_current GROUP BY status ORDER BY status;

-- Stock as it was at an epoch.
DECLARE @epoch bigint = 20;
SELECT [key] AS sku, on_hand, reserved, available FROM stock_changes WHERE epoch <= @epoch
GROUP BY [key], on_hand, reserved, available HAVING SUM(diff) = 1 ORDER BY sku;

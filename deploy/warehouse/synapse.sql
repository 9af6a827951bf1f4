-- Views over the tables for Synapse serverless, which reads Delta 1.0: these tables ask for no more. Replace
-- `shop` by an external data source whose location is the folder of the tables.
CREATE VIEW order_lines AS SELECT * FROM OPENROWSET(BULK 'order_lines/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO
CREATE VIEW credit_lines AS SELECT * FROM OPENROWSET(BULK 'credit_lines/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO
CREATE VIEW adjustments AS SELECT * FROM OPENROWSET(BULK 'adjustments/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO
CREATE VIEW payments AS SELECT * FROM OPENROWSET(BULK 'payments/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO
CREATE VIEW stock_movements AS SELECT * FROM OPENROWSET(BULK 'stock_movements/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO
CREATE VIEW stock_changes AS SELECT * FROM OPENROWSET(BULK 'stock_changes/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO
CREATE VIEW orders_current AS SELECT * FROM OPENROWSET(BULK 'orders_current/', DATA_SOURCE = 'shop', FORMAT = 'DELTA') AS r;
GO

-- Monthly revenue by country.
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
SELECT FORMAT(occurred_at, 'yyyy-MM') AS month, currency, country,
    SUM(gross) AS gross, SUM(returned) AS returned, SUM(adjusted) AS adjusted,
    SUM(gross) - SUM(returned) + SUM(adjusted) AS net
FROM money GROUP BY FORMAT(occurred_at, 'yyyy-MM'), currency, country ORDER BY month, currency, country;

-- Returns.
SELECT sku, -SUM(CASE WHEN reason = 'shipped' THEN quantity END) AS shipped,
    SUM(CASE WHEN reason IN ('returned', 'credited', 'shipment_cancelled') THEN quantity END) AS came_back
FROM stock_movements GROUP BY sku
HAVING SUM(CASE WHEN reason IN ('returned', 'credited', 'shipment_cancelled') THEN quantity END) > 0
ORDER BY came_back DESC, sku;

-- Cohorts.
WITH orders AS (
    SELECT DISTINCT customer_id, order_id, DATEFROMPARTS(YEAR(occurred_at), MONTH(occurred_at), 1) AS month
    FROM order_lines WHERE customer_id IS NOT NULL
),
firsts AS (SELECT customer_id, MIN(month) AS cohort FROM orders GROUP BY customer_id)
SELECT cohort, DATEDIFF(month, cohort, month) AS months_later, COUNT(DISTINCT orders.customer_id) AS customers,
    COUNT(*) AS orders
FROM orders JOIN firsts ON firsts.customer_id = orders.customer_id
GROUP BY cohort, DATEDIFF(month, cohort, month) ORDER BY cohort, months_later;

-- Stock as of epoch 100.
SELECT [key] AS sku, on_hand, reserved, available FROM stock_changes WHERE epoch <= 100
GROUP BY [key], on_hand, reserved, available HAVING SUM(diff) = 1 ORDER BY sku;

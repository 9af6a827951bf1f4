-- The balance of every SKU after each movement, in the order of the documents: its lowest, its highest, its last.
WITH running AS (
    SELECT sku, sum(quantity) OVER (PARTITION BY sku ORDER BY occurred_at, reference, line ROWS UNBOUNDED PRECEDING) AS balance
    FROM stock_movements
)
SELECT sku, min(balance) AS lowest, max(balance) AS highest, count(*) AS movements,
    (SELECT sum(quantity) FROM stock_movements AS all_of WHERE all_of.sku = running.sku) AS balance
FROM running GROUP BY sku ORDER BY sku;

-- The balance of every SKU after each line of a document, in the order of the documents: its lowest, its highest, its last.
WITH running AS (
    -- No ROWS: the rows of one line, as of goods from two locations, have no order among themselves, and count together.
    SELECT sku, quantity, sum(quantity) OVER (PARTITION BY sku ORDER BY occurred_at, reference NULLS FIRST, line NULLS FIRST) AS balance
    FROM stock_movements
)
SELECT sku, min(balance) AS lowest, max(balance) AS highest, count(*) AS movements, sum(quantity) AS balance
FROM running GROUP BY sku ORDER BY sku;

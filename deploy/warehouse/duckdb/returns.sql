-- Of what was sold of a SKU, how much came back: goods that a return, a credit or a cancelled shipment put back on a shelf.
WITH moved AS (
    SELECT sku, -sum(quantity) FILTER (reason = 'shipped') AS shipped,
        sum(quantity) FILTER (reason IN ('returned', 'credited', 'shipment_cancelled')) AS came_back
    FROM stock_movements GROUP BY sku
)
SELECT sku, shipped, came_back, round(1000 * came_back / shipped) / 1000 AS share
FROM moved WHERE shipped > 0 AND came_back > 0 ORDER BY share DESC, sku LIMIT 10;

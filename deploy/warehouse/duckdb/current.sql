-- Orders as they are now, by status, through the changes: right without a Delta reader.
WITH now AS (SELECT key, status FROM orders_changes GROUP BY key, status HAVING sum(diff) = 1)
SELECT status, count(*) AS orders FROM now GROUP BY status ORDER BY status;

-- Customers by the month of their first order: how many of them ordered again how many months later.
WITH orders AS (
    SELECT DISTINCT customer_id, order_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC') AS month
    FROM order_lines WHERE customer_id IS NOT NULL
),
firsts AS (SELECT customer_id, min(month) AS cohort FROM orders GROUP BY customer_id)
SELECT strftime(cohort, '%Y-%m') AS cohort, date_diff('month', cohort, month) AS months_later,
    count(DISTINCT customer_id) AS customers, count(*) AS orders
FROM orders JOIN firsts USING (customer_id) GROUP BY ALL ORDER BY ALL;

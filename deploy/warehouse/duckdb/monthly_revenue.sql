-- Revenue by month, currency and country, as GET /analytics/revenue?by=month&group=country has it.
-- A sale counts when it was placed, money that went back when that happened; a late capture counts nowhere.
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
SELECT strftime(occurred_at AT TIME ZONE 'UTC', '%Y-%m') AS month, currency, country,
    sum(gross) AS gross, sum(returned) AS returned, sum(adjusted) AS adjusted,
    sum(gross) - sum(returned) + sum(adjusted) AS net
FROM money GROUP BY ALL ORDER BY ALL;

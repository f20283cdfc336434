-- The twenty most expensive requests of the last 24 hours.
SELECT *
FROM request_cost
WHERE occurred_at > now() - INTERVAL 1 DAY
ORDER BY effective_cost DESC NULLS LAST
LIMIT 20;

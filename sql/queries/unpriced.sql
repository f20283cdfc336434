-- Usage without a price, most events first.
SELECT *
FROM unpriced_usage
ORDER BY unpriced_events DESC
LIMIT 50;

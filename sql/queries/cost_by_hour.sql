-- Cost of the last 24 hours, hour by hour.
SELECT
    hour,
    sum(cost_1h.effective_cost) AS effective_cost,
    sum(cost_1h.events) AS events,
    sum(cost_1h.unpriced_events) AS unpriced_events
FROM cost_1h
WHERE hour > now() - INTERVAL 1 DAY
GROUP BY hour
ORDER BY hour;

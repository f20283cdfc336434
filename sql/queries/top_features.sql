-- The ten most expensive features of the last 30 days.
SELECT
    feature,
    project,
    sum(operations_1d.effective_cost) AS effective_cost,
    sum(operations_1d.events) AS events,
    sum(operations_1d.unpriced_events) AS unpriced_events
FROM operations_1d
WHERE day > toDate(now('UTC')) - 30
GROUP BY
    feature, project
ORDER BY effective_cost DESC
LIMIT 10;

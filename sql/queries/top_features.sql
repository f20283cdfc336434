-- The ten most expensive features of the last 30 days.
SELECT
    feature,
    project,
    sum(cost_1d.effective_cost) AS effective_cost,
    sum(cost_1d.events) AS events,
    sum(cost_1d.unpriced_events) AS unpriced_events
FROM cost_1d
WHERE day > toDate(now('UTC')) - 30
GROUP BY
    feature, project
ORDER BY effective_cost DESC
LIMIT 10;

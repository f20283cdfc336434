-- Who sends events without the mandatory tags (last 7 days).
SELECT
    source,
    project,
    team,
    sum(cost_1h.unallocated_cost) AS unallocated_cost,
    sum(cost_1h.unallocated_events) AS unallocated_events
FROM cost_1h
WHERE hour > now() - INTERVAL 7 DAY
GROUP BY
    source, project, team
HAVING unallocated_events > 0
ORDER BY unallocated_cost DESC
LIMIT 50;

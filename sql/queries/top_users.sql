-- The ten most expensive users of the last 7 days.
SELECT
    user_id,
    team,
    sum(cost_1d.effective_cost) AS effective_cost,
    sum(cost_1d.events) AS events
FROM cost_1d
WHERE day > toDate(now('UTC')) - 7
GROUP BY
    user_id, team
ORDER BY effective_cost DESC
LIMIT 10;

-- The ten people who cost most in the last 7 days, with the teams that they spent for.
SELECT
    user_id,
    arrayStringConcat(arraySort(groupUniqArrayIf(team, team != '')), ', ') AS teams,
    sum(cost_1d.effective_cost) AS effective_cost,
    sum(cost_1d.events) AS events
FROM cost_1d
WHERE day > toDate(now('UTC')) - 7 AND user_id != ''
GROUP BY user_id
ORDER BY
    effective_cost DESC, user_id
LIMIT 10;

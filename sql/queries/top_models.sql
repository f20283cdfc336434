-- The ten most expensive models of the last 30 days.
SELECT
    provider,
    model,
    sum(cost_1d.effective_cost) AS effective_cost,
    sum(cost_1d.events) AS events,
    sum(cost_1d.input_tokens) AS input_tokens,
    sum(cost_1d.output_tokens) AS output_tokens
FROM cost_1d
WHERE day > toDate(now('UTC')) - 30
GROUP BY
    provider, model
ORDER BY effective_cost DESC
LIMIT 10;

-- The ten most expensive models of the last 30 days.
SELECT
    provider,
    model,
    sum(operations_1d.effective_cost) AS effective_cost,
    sum(operations_1d.events) AS events,
    sum(operations_1d.input_tokens) AS input_tokens,
    sum(operations_1d.output_tokens) AS output_tokens
FROM operations_1d
WHERE day > toDate(now('UTC')) - 30
GROUP BY
    provider, model
ORDER BY effective_cost DESC
LIMIT 10;

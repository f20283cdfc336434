-- Cost per day and model, with what it was used for and the price of a million tokens that came out of it.
CREATE OR REPLACE VIEW cost_by_model AS
SELECT
    day,
    provider,
    model,
    sum(operations_1d.effective_cost) AS effective_cost,
    sum(operations_1d.contracted_cost) AS contracted_cost,
    sum(operations_1d.list_cost) AS list_cost,
    sum(operations_1d.events) AS events,
    sum(operations_1d.unpriced_events) AS unpriced_events,
    sum(operations_1d.errors) AS errors,
    sum(operations_1d.input_tokens) AS input_tokens,
    sum(operations_1d.output_tokens) AS output_tokens,
    sum(operations_1d.reasoning_tokens) AS reasoning_tokens,
    sum(operations_1d.gpu_seconds) AS gpu_seconds
FROM operations_1d
GROUP BY
    day, provider, model;

-- Cost per day and model, with what it was used for and the price of a million tokens that came out of it.
CREATE OR REPLACE VIEW cost_by_model AS
SELECT
    day,
    provider,
    model,
    sum(cost_1d.effective_cost) AS effective_cost,
    sum(cost_1d.contracted_cost) AS contracted_cost,
    sum(cost_1d.list_cost) AS list_cost,
    sum(cost_1d.events) AS events,
    sum(cost_1d.unpriced_events) AS unpriced_events,
    sum(cost_1d.errors) AS errors,
    sum(cost_1d.input_tokens) AS input_tokens,
    sum(cost_1d.output_tokens) AS output_tokens,
    sum(cost_1d.reasoning_tokens) AS reasoning_tokens,
    sum(cost_1d.gpu_seconds) AS gpu_seconds
FROM cost_1d
GROUP BY
    day, provider, model;

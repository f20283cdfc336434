-- Usage without a price, with the reason: money that is being spent and that no total shows. An event that was priced
-- later, or taken back, no longer counts. `held` is USD that budgets hold for it where the model is known; events of models
-- that nobody knows are held at each budget's flat bound beside that.
CREATE OR REPLACE VIEW unpriced_usage AS
SELECT
    provider,
    if(model = '', response_model, model) AS model_name,
    kind,
    sku,
    service_tier,
    unpriced_reason,
    any(unpriced_detail) AS example,
    sum(unpriced) AS unpriced_events,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen,
    sumIf(ifNull(input_tokens, 0), list_cost IS NULL) AS input_tokens_without_price,
    sumIf(ifNull(output_tokens, 0), list_cost IS NULL) AS output_tokens_without_price,
    sum(ifNull(held_cost, 0)) AS held,
    sum(held_flat) AS events_of_unknown_models
FROM ledger
WHERE unpriced != 0 OR held_flat != 0
GROUP BY
    provider, model_name, kind, sku, service_tier, unpriced_reason
HAVING unpriced_events != 0;

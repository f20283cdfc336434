-- Usage without a price, with the reason: money that is being spent and that no total shows. An event that was priced
-- later, or taken back, no longer counts, and says nothing here: it is no example, and not when such usage was seen first.
-- `held` is USD that budgets hold for it where the model is known; events of models that nobody knows are held at each
-- budget's flat bound beside that.
CREATE OR REPLACE VIEW unpriced_usage AS
SELECT
    provider,
    model_name,
    kind,
    sku,
    accelerator,
    service_tier,
    unpriced_reason,
    anyIf(detail, number > 0) AS example,
    sum(number) AS unpriced_events,
    minIf(at, number > 0) AS first_seen,
    maxIf(at, number > 0) AS last_seen,
    sum(input_without) AS input_tokens_without_price,
    sum(output_without) AS output_tokens_without_price,
    sum(held_for_it) AS held,
    sum(flat) AS events_of_unknown_models
FROM
(
    SELECT
        provider,
        if(model = '', response_model, model) AS model_name,
        kind,
        sku,
        accelerator,
        service_tier,
        unpriced_reason,
        anyIf(unpriced_detail, unpriced > 0) AS detail,
        sum(unpriced) AS number,
        min(occurred_at) AS at,
        sumIf(ifNull(input_tokens, 0), list_cost IS NULL) AS input_without,
        sumIf(ifNull(output_tokens, 0), list_cost IS NULL) AS output_without,
        sum(ifNull(held_cost, 0)) AS held_for_it,
        sum(held_flat) AS flat
    FROM ledger
    WHERE unpriced != 0 OR held_flat != 0
    GROUP BY
        provider, model_name, kind, sku, accelerator, service_tier, unpriced_reason, event_id, revision
    HAVING number != 0 OR flat != 0 OR held_for_it != 0
) AS event
GROUP BY
    provider, model_name, kind, sku, accelerator, service_tier, unpriced_reason
HAVING unpriced_events != 0;

-- Usage without a price, with the reason: money that is being spent and that no total shows. An event that was priced
-- later, or taken back, no longer counts.
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
    sumIf(ifNull(output_tokens, 0), list_cost IS NULL) AS output_tokens_without_price
FROM ledger
WHERE unpriced != 0
GROUP BY
    provider, model_name, kind, sku, service_tier, unpriced_reason
HAVING unpriced_events != 0;

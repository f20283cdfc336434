-- The most expensive requests (calls of models) or other usage (GPU jobs, storage, ...), each as the sum of its entries,
-- those of each revision by themselves: a correction may say another model.
-- Candidates are the largest charges (or what a correction booked in their stead): what a correction took back since
-- drops out of the order, so more candidates are taken than rows are shown. All entries of an event have its time, which
-- spares reading the hours in which no candidate lies.
SELECT
    entry.event_id AS event_id,
    any(entry.occurred_at) AS occurred_at,
    any(entry.source) AS source,
    argMaxIf(entry.team, entry.booked_at, entry.events > 0) AS team,
    argMaxIf(entry.feature, entry.booked_at, entry.events > 0) AS feature,
    argMaxIf(entry.user_id, entry.booked_at, entry.events > 0) AS user_id,
    any(entry.provider) AS provider,
    any(multiIf(entry.model != '', entry.model, entry.sku != '', entry.sku, entry.price_model)) AS model,
    sum(ifNull(entry.input_tokens, 0)) AS input_tokens,
    sum(ifNull(entry.output_tokens, 0)) AS output_tokens,
    sum(ifNull(entry.gpu_seconds, 0)) AS gpu_seconds,
    sum(ifNull(entry.effective_cost, 0)) AS cost
FROM ledger AS entry
WHERE
    entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
    AND (entry.occurred_at, entry.event_id) IN (
        SELECT candidate.occurred_at, candidate.event_id
        FROM ledger AS candidate
        WHERE
            candidate.occurred_at >= {start:DateTime('UTC')} AND candidate.occurred_at < {end:DateTime('UTC')}
            AND candidate.events > 0 AND candidate.effective_cost > 0
            AND (candidate.kind = 'tokens') = {model_calls:Bool}
        ORDER BY candidate.effective_cost DESC
        LIMIT 500
    )
GROUP BY event_id, revision
HAVING cost > 0
ORDER BY cost DESC, event_id
LIMIT {rows:UInt32};

-- The largest charges (or what a correction booked in their stead) of one kind: calls of models, or other usage (GPU jobs,
-- storage, ...). What a correction took back since drops out of the order, so more are taken than are shown.
SELECT
    toUnixTimestamp64Micro(candidate.occurred_at) AS micros,
    candidate.event_id AS event_id,
    candidate.effective_cost AS cost
FROM ledger AS candidate
WHERE
    candidate.occurred_at >= {start:DateTime('UTC')} AND candidate.occurred_at < {end:DateTime('UTC')}
    AND candidate.events > 0 AND candidate.effective_cost > 0
    AND (candidate.kind = 'tokens') = {model_calls:Bool}
ORDER BY candidate.effective_cost DESC
LIMIT {rows:UInt32};

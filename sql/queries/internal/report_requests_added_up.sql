-- Requests, each as the sum of its entries, those of each revision by themselves: a correction may say another model. An id
-- here is the time of the event in microseconds, a space, its event_id: the ledger lies in the order of time, which spares
-- reading the hours in which none of them lies.
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
        SELECT
            fromUnixTimestamp64Micro(toInt64(substring(place, 1, position(place, ' ') - 1)), 'UTC'),
            substring(place, position(place, ' ') + 1)
        FROM (SELECT arrayJoin({ids:Array(String)}) AS place)
    )
GROUP BY event_id, revision
HAVING cost > 0;

-- What another price added most to, beside report_requests.sql: an event that was booked for little or nothing may be among
-- the dearest since.
SELECT
    toUnixTimestamp64Micro(correction.occurred_at) AS micros,
    correction.event_id AS event_id,
    sum(correction.effective_cost) AS cost
FROM ledger AS correction
PREWHERE correction.entry_kind = 'adjustment'
WHERE
    correction.occurred_at >= {start:DateTime('UTC')} AND correction.occurred_at < {end:DateTime('UTC')}
    AND correction.events = 0 AND correction.effective_cost > 0
    AND (correction.kind = 'tokens') = {model_calls:Bool}
GROUP BY micros, event_id
ORDER BY cost DESC
LIMIT {rows:UInt32};

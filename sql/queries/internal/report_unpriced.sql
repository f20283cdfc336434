-- Usage that has no price now: what was booked without one, less what was priced or taken back since.
SELECT
    entry.provider AS provider,
    if(entry.model = '', entry.sku, entry.model) AS model,
    sum(entry.unpriced) AS unpriced_events,
    arrayStringConcat(groupUniqArrayIf(5)(toString(entry.unpriced_reason), entry.unpriced_reason != ''), ', ') AS reasons,
    anyIf(entry.unpriced_detail, entry.unpriced_detail != '') AS example
FROM ledger AS entry
WHERE
    entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
    AND entry.unpriced != 0
GROUP BY provider, model
HAVING unpriced_events > 0
ORDER BY unpriced_events DESC, provider, model
LIMIT {rows:UInt32};

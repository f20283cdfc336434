-- Usage that has no price now: what was booked without one, less what was priced or taken back since, which is no reason
-- and no example any more.
SELECT
    provider,
    named AS model,
    sum(number) AS unpriced_events,
    arrayStringConcat(groupUniqArrayIf(5)(reason, reason != ''), ', ') AS reasons,
    anyIf(detail, detail != '') AS example
FROM
(
    SELECT
        entry.provider AS provider,
        multiIf(
            entry.model != '', entry.model, entry.response_model != '', entry.response_model, entry.sku != '', entry.sku,
            entry.accelerator
        ) AS named,
        toString(entry.unpriced_reason) AS reason,
        anyIf(entry.unpriced_detail, entry.unpriced > 0) AS detail,
        sum(entry.unpriced) AS number
    FROM ledger AS entry
    WHERE
        entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
        AND entry.unpriced != 0
    GROUP BY provider, named, reason, entry.event_id
    HAVING number > 0
)
GROUP BY provider, model
ORDER BY unpriced_events DESC, provider, model
LIMIT {rows:UInt32};

-- What report_requests.sql asks, with what corrections have made of it: the largest of the events that none touched, and of
-- the others. It reads the ids of the period, and is asked only where corrections have changed the order much.
SELECT toUnixTimestamp64Micro(at) AS micros, id AS event_id, cost
FROM
(
    SELECT untouched.occurred_at AS at, untouched.event_id AS id, untouched.effective_cost AS cost
    FROM ledger AS untouched
    WHERE
        untouched.occurred_at >= {start:DateTime('UTC')} AND untouched.occurred_at < {end:DateTime('UTC')}
        AND untouched.entry_kind = 'charge' AND untouched.effective_cost > 0
        AND (untouched.kind = 'tokens') = {model_calls:Bool}
        AND untouched.event_id NOT IN
        (
            SELECT event_id FROM ledger PREWHERE entry_kind != 'charge'
            WHERE occurred_at >= {start:DateTime('UTC')} AND occurred_at < {end:DateTime('UTC')}
        )
    ORDER BY untouched.effective_cost DESC
    LIMIT {rows:UInt32}
    UNION ALL
    SELECT touched.occurred_at AS at, touched.event_id AS id, sum(ifNull(touched.effective_cost, 0)) AS cost
    FROM ledger AS touched
    WHERE
        touched.occurred_at >= {start:DateTime('UTC')} AND touched.occurred_at < {end:DateTime('UTC')}
        AND (touched.kind = 'tokens') = {model_calls:Bool}
        AND touched.event_id IN
        (
            SELECT event_id FROM ledger PREWHERE entry_kind != 'charge'
            WHERE occurred_at >= {start:DateTime('UTC')} AND occurred_at < {end:DateTime('UTC')}
        )
    GROUP BY at, id
    HAVING cost > 0
    ORDER BY cost DESC
    LIMIT {rows:UInt32}
);

-- Hours and days in which a rollup and the ledger do not add up to the same; no row is right.
WITH booked AS
(
    SELECT
        toStartOfHour(entry.occurred_at) AS hour,
        sum(ifNull(entry.effective_cost, 0)) AS cost,
        sum(entry.events) AS number
    FROM ledger AS entry
    GROUP BY hour
)
SELECT
    name,
    start,
    sum(ledger_cost) AS in_ledger,
    sum(rollup_cost) AS in_rollup,
    sum(ledger_events) AS events_in_ledger,
    sum(rollup_events) AS events_in_rollup
FROM
(
    SELECT
        arrayJoin(['cost_1h', 'cost_1d', 'operations_1d']) AS name,
        if(name = 'cost_1h', hour, toDateTime(toDate(hour, 'UTC'), 'UTC')) AS start,
        cost AS ledger_cost, toDecimal128(0, 12) AS rollup_cost, number AS ledger_events, toInt64(0) AS rollup_events
    FROM booked
    UNION ALL
    SELECT 'cost_1h', hour, toDecimal128(0, 12), effective_cost, toInt64(0), events
    FROM cost_1h
    UNION ALL
    SELECT 'cost_1d', toDateTime(day, 'UTC'), toDecimal128(0, 12), effective_cost, toInt64(0), events
    FROM cost_1d
    UNION ALL
    SELECT 'operations_1d', toDateTime(day, 'UTC'), toDecimal128(0, 12), effective_cost, toInt64(0), events
    FROM operations_1d
)
GROUP BY name, start
HAVING in_ledger != in_rollup OR events_in_ledger != events_in_rollup
ORDER BY name, start;

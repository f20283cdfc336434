-- Hours in which the rollup and the ledger do not add up to the same; no row is right.
SELECT
    hour,
    sum(ledger_cost) AS in_ledger,
    sum(rollup_cost) AS in_rollup,
    sum(ledger_events) AS events_in_ledger,
    sum(rollup_events) AS events_in_rollup
FROM
(
    SELECT toStartOfHour(entry.occurred_at) AS hour, sum(ifNull(entry.effective_cost, 0)) AS ledger_cost,
        toDecimal128(0, 12) AS rollup_cost, sum(entry.events) AS ledger_events, toInt64(0) AS rollup_events
    FROM ledger AS entry
    GROUP BY hour
    UNION ALL
    SELECT cost_1h.hour AS hour, toDecimal128(0, 12) AS ledger_cost, sum(cost_1h.effective_cost) AS rollup_cost,
        toInt64(0) AS ledger_events, sum(cost_1h.events) AS rollup_events
    FROM cost_1h
    GROUP BY hour
)
GROUP BY hour
HAVING in_ledger != in_rollup OR events_in_ledger != events_in_rollup
ORDER BY hour;

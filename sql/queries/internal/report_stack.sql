-- The cost stack of [start, end): what costs were for, in two levels. Whole days come from the rollup, parts of days from
-- the ledger.
WITH
    toDate({start:DateTime('UTC')} + 86399, 'UTC') AS first_day,
    toDate({end:DateTime('UTC')}, 'UTC') AS end_day,
    least({end:DateTime('UTC')}, toDateTime(first_day, 'UTC')) AS head_end,
    greatest(toDateTime(end_day, 'UTC'), head_end) AS tail_start
SELECT
    category,
    subcategory,
    sum(cost) AS effective_cost,
    sum(number) AS all_events
FROM
(
    SELECT category, subcategory, sum(rollup.effective_cost) AS cost, sum(rollup.events) AS number
    FROM operations_1d AS rollup
    WHERE rollup.day >= first_day AND rollup.day < end_day
    GROUP BY category, subcategory
    UNION ALL
    SELECT category, subcategory, sum(ifNull(entry.effective_cost, 0)) AS cost, sum(entry.events) AS number
    FROM ledger AS entry
    WHERE
        entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
        AND (entry.occurred_at < head_end OR entry.occurred_at >= tail_start)
    GROUP BY category, subcategory
)
GROUP BY category, subcategory
HAVING all_events != 0 OR effective_cost != 0
ORDER BY
    sum(effective_cost) OVER (PARTITION BY category) DESC, category, effective_cost DESC, subcategory;

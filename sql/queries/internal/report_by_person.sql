-- Cost by user or customer, who can be millions; entries that name none are left out. Whole days come from the rollup that
-- has them, parts of days from the ledger.
-- The last columns are the totals of all groups, also of those the limit cuts off.
WITH
    toDate({start:DateTime('UTC')} + 86399, 'UTC') AS first_day,
    toDate({end:DateTime('UTC')}, 'UTC') AS end_day,
    least({end:DateTime('UTC')}, toDateTime(first_day, 'UTC')) AS head_end,
    greatest(toDateTime(end_day, 'UTC'), head_end) AS tail_start
SELECT
    name, effective_cost, contracted_cost, list_cost, events, unpriced_events,
    sum(effective_cost) OVER () AS all_effective_cost,
    sum(contracted_cost) OVER () AS all_contracted_cost,
    sum(list_cost) OVER () AS all_list_cost,
    sum(events) OVER () AS all_events,
    sum(unpriced_events) OVER () AS all_unpriced_events,
    count() OVER () AS groups
FROM
(
    SELECT
        name,
        sum(parts.effective) AS effective_cost,
        sum(parts.contracted) AS contracted_cost,
        sum(parts.listed) AS list_cost,
        sum(parts.number) AS events,
        sum(parts.without_price) AS unpriced_events
    FROM
    (
        SELECT
            {dimension:Identifier} AS name,
            sum(rollup.effective_cost) AS effective, sum(rollup.contracted_cost) AS contracted,
            sum(rollup.list_cost) AS listed, sum(rollup.events) AS number, sum(rollup.unpriced_events) AS without_price
        FROM {rollup:Identifier} AS rollup
        WHERE rollup.day >= first_day AND rollup.day < end_day AND name != ''
        GROUP BY name
        UNION ALL
        SELECT
            {dimension:Identifier} AS name,
            sum(ifNull(entry.effective_cost, 0)), sum(ifNull(entry.contracted_cost, 0)), sum(ifNull(entry.list_cost, 0)),
            sum(entry.events), sum(entry.unpriced)
        FROM ledger AS entry
        WHERE
            entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
            AND (entry.occurred_at < head_end OR entry.occurred_at >= tail_start) AND name != ''
        GROUP BY name
    ) AS parts
    GROUP BY name
    HAVING events != 0 OR effective_cost != 0
)
ORDER BY effective_cost DESC, events DESC, name
LIMIT {rows:UInt32};

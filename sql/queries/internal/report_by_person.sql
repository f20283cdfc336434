-- Cost by user or customer, who can be millions and are in the ledger only. Entries that name none are left out.
-- The last columns are the totals of all groups, also of those the limit cuts off.
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
        {dimension:Identifier} AS name,
        sum(ifNull(entry.effective_cost, 0)) AS effective_cost,
        sum(ifNull(entry.contracted_cost, 0)) AS contracted_cost,
        sum(ifNull(entry.list_cost, 0)) AS list_cost,
        sum(entry.events) AS events,
        sum(entry.unpriced) AS unpriced_events
    FROM ledger AS entry
    WHERE entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')} AND name != ''
    GROUP BY name
)
ORDER BY effective_cost DESC, events DESC, name
LIMIT {rows:UInt32};

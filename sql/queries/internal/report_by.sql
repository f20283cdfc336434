-- Cost by one dimension of cost_1m. The last columns are the totals of all groups, also of those the limit cuts off.
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
        toString({dimension:Identifier}) AS name,
        sum(cost.effective_cost) AS effective_cost,
        sum(cost.contracted_cost) AS contracted_cost,
        sum(cost.list_cost) AS list_cost,
        sum(cost.events) AS events,
        sum(cost.unpriced_events) AS unpriced_events
    FROM cost_1m AS cost
    WHERE cost.minute >= {start:DateTime('UTC')} AND cost.minute < {end:DateTime('UTC')}
    GROUP BY name
)
ORDER BY effective_cost DESC, events DESC, name
LIMIT {rows:UInt32};

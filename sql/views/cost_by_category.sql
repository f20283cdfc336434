-- Cost per day by what it was for: inference, infrastructure, development, ...
CREATE OR REPLACE VIEW cost_by_category AS
SELECT
    day,
    category,
    workload_type,
    sum(effective_cost) AS effective_cost,
    sum(contracted_cost) AS contracted_cost,
    sum(list_cost) AS list_cost,
    sum(events) AS events,
    sum(unpriced_events) AS unpriced_events
FROM operations_1d
GROUP BY
    day, category, workload_type;

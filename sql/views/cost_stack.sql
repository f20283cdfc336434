-- Cost per day by what it was for, in two levels: inference, infrastructure and development, and what each consists of.
-- The second level is the one that was booked; its sums are those of the first.
CREATE OR REPLACE VIEW cost_stack AS
SELECT
    day,
    category,
    subcategory,
    sum(effective_cost) AS effective_cost,
    sum(contracted_cost) AS contracted_cost,
    sum(list_cost) AS list_cost,
    sum(events) AS events,
    sum(unpriced_events) AS unpriced_events
FROM operations_1d
GROUP BY
    day, category, subcategory;

-- Cost per day, project and environment.
CREATE OR REPLACE VIEW cost_by_project AS
SELECT
    day,
    project,
    environment,
    sum(effective_cost) AS effective_cost,
    sum(contracted_cost) AS contracted_cost,
    sum(list_cost) AS list_cost,
    sum(events) AS events,
    sum(unpriced_events) AS unpriced_events
FROM operations_1d
GROUP BY
    day, project, environment;

-- Cost per day and team. An empty team is spend that nobody has claimed.
CREATE OR REPLACE VIEW cost_by_team AS
SELECT
    day,
    team,
    sum(effective_cost) AS effective_cost,
    sum(contracted_cost) AS contracted_cost,
    sum(list_cost) AS list_cost,
    sum(events) AS events,
    sum(unpriced_events) AS unpriced_events
FROM operations_1d
GROUP BY
    day, team;

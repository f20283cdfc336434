-- Cost per day and user.
CREATE OR REPLACE VIEW cost_by_user AS
SELECT
    day,
    team,
    user_id,
    sum(effective_cost) AS effective_cost,
    sum(contracted_cost) AS contracted_cost,
    sum(list_cost) AS list_cost,
    sum(events) AS events,
    sum(unpriced_events) AS unpriced_events
FROM cost_1d
GROUP BY
    day, team, user_id;

-- How many budgets are defined now.
SELECT countIf(NOT removed) AS budgets
FROM
(
    SELECT
        budget_id,
        argMax(budget_definitions.removed, at) AS removed
    FROM budget_definitions
    WHERE NOT startsWith(note, {refused:String})
    GROUP BY budget_id
);

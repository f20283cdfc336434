-- The first and the last minute that has any cost or event, and how many ledger rows there are.
SELECT
    min(minute) AS first_minute,
    max(minute) AS last_minute,
    sum(entries) AS entries
FROM cost_1m;

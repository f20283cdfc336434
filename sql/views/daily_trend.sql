-- Cost per whole day, beside the day before and the same weekday of the week before: NULL where the store knows nothing of
-- that day. The day that is not over is not listed (cost_1h has it), nor one without any event.
CREATE OR REPLACE VIEW daily_trend AS
SELECT
    today.day AS day,
    today.effective_cost AS effective_cost,
    today.events AS events,
    yesterday.effective_cost AS day_before,
    last_week.effective_cost AS week_before
FROM
(
    SELECT day, sum(operations_1d.effective_cost) AS effective_cost, sum(operations_1d.events) AS events
    FROM operations_1d
    WHERE day < toDate(now('UTC'))
    GROUP BY day
) AS today
LEFT JOIN
(
    SELECT day + 1 AS day, toNullable(sum(operations_1d.effective_cost)) AS effective_cost
    FROM operations_1d
    GROUP BY day
) AS yesterday ON yesterday.day = today.day
LEFT JOIN
(
    SELECT day + 7 AS day, toNullable(sum(operations_1d.effective_cost)) AS effective_cost
    FROM operations_1d
    GROUP BY day
) AS last_week ON last_week.day = today.day;

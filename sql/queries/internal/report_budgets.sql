-- Where budgets stood in [start, until): of each budget and values, the latest period that holds a part of it.
--
-- A rolling window has a row for each hour in which it ended. Where none ended before `until` (events of the past came
-- later), the first one after it stands in, as long as it still reaches back into the time asked for.
-- `crossed` are the thresholds that were crossed, with the instants at which they were.
WITH
    definitions AS
    (
        SELECT
            budget_id,
            argMax(JSONExtractString(definition, 'period', 'rolling'), at) AS rolling
        FROM budget_definitions
        WHERE NOT removed AND NOT startsWith(note, {refused:String})
        GROUP BY budget_id
    ),
    standings AS
    (
        SELECT
            periods.*,
            period_key = {window:String} AS is_window,
            toUInt32OrZero(substring(rolling, 1, length(rolling) - 1)) * if(endsWith(rolling, 'd'), 24, 1) AS window_hours
        FROM
        (
            SELECT *
            FROM budget_periods FINAL
            WHERE
                period_key != ''
                AND period_end > {start:DateTime('UTC')}
                AND (period_start < {until:DateTime64(6, 'UTC')} OR period_key = {window:String})
        ) AS periods
        LEFT JOIN definitions USING (budget_id)
        WHERE
            if(
                is_window,
                period_end > {start:DateTime('UTC')}
                    AND period_start - toIntervalHour(window_hours) < {until:DateTime64(6, 'UTC')},
                period_end > {start:DateTime('UTC')} AND period_start < {until:DateTime64(6, 'UTC')}
            )
        ORDER BY
            period_start < {until:DateTime64(6, 'UTC')} DESC,
            if(period_start < {until:DateTime64(6, 'UTC')}, -toInt64(toUnixTimestamp(period_start)), toInt64(toUnixTimestamp(period_start)))
        LIMIT 1 BY budget_id, vals
    ),
    last_crossings AS
    (
        SELECT
            budget_crossings.budget_id AS budget_id,
            budget_crossings.vals AS vals,
            threshold,
            threshold_amount,
            argMax(direction, (at, direction = 'down')) AS last_direction,
            argMax(at, (at, direction = 'down')) AS last_at
        FROM budget_crossings
        INNER JOIN (SELECT budget_id, vals, period_key, period_start FROM standings) AS chosen
            ON
                budget_crossings.budget_id = chosen.budget_id
                AND budget_crossings.vals = chosen.vals
                AND budget_crossings.period_key = chosen.period_key
        WHERE kind = 'actual' AND budget_crossings.period_start <= chosen.period_start
        GROUP BY budget_id, vals, threshold, threshold_amount
    ),
    crossed_by AS
    (
        SELECT
            budget_id,
            vals,
            arraySort(groupArray((threshold, threshold_amount, last_at))) AS crossed
        FROM last_crossings
        WHERE last_direction = 'up'
        GROUP BY budget_id, vals
    )
SELECT
    standings.budget_id AS budget_id,
    name,
    owner,
    parent,
    per,
    standings.vals AS vals,
    is_window,
    window_hours,
    period_start,
    period_end,
    amount,
    spent + held AS used,
    held,
    unpriced_events,
    used > amount AS over,
    crossed,
    updated_at,
    count() OVER (PARTITION BY standings.budget_id) AS all_values,
    countIf(notEmpty(crossed)) OVER (PARTITION BY standings.budget_id) AS crossed_values,
    countIf(over) OVER (PARTITION BY standings.budget_id) AS over_values,
    unit,
    currency,
    rate
FROM standings
LEFT JOIN crossed_by ON standings.budget_id = crossed_by.budget_id AND standings.vals = crossed_by.vals
ORDER BY
    budget_id,
    if(amount > 0, toFloat64(used) / toFloat64(amount), inf) DESC,
    used DESC,
    vals
LIMIT {rows:UInt32} BY budget_id;

-- Where budgets stood in [start, until): of each budget and values, the latest period that holds a part of it.
--
-- A rolling window has a row for each hour in which it ended. Where none ended before `until` (events of the past came
-- later), the first one after it stands in, as long as it still reaches back into the time asked for.
-- `crossed` are the thresholds that were crossed, with the instants at which they were.
-- Of a hundred thousand users a month has three million periods: all that is read of most of them is their key. Values are
-- grouped and compared as one text, in which each is preceded by its length, so that no two lists make the same: three
-- times as fast as arrays.
WITH
    chosen AS
    (
        SELECT
            budget_id,
            who,
            if(max(begun), maxIf(period_start, begun), min(period_start)) AS latest
        FROM
        (
            SELECT
                budget_id,
                period_start,
                arrayStringConcat(arrayMap(value -> concat(toString(length(value)), ':', value), vals)) AS who,
                period_start < {until:DateTime64(6, 'UTC')} AS begun
            FROM budget_periods FINAL
            WHERE
                period_key != ''
                AND period_end > {start:DateTime('UTC')}
                AND (period_start < {until:DateTime64(6, 'UTC')} OR period_key = {window:String})
        )
        GROUP BY budget_id, who
    ),
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
            SELECT
                *,
                arrayStringConcat(arrayMap(value -> concat(toString(length(value)), ':', value), vals)) AS who
            FROM budget_periods FINAL
            WHERE
                period_key != ''
                AND (budget_id, period_start, who) IN (SELECT budget_id, latest, who FROM chosen)
        ) AS periods
        LEFT JOIN definitions USING (budget_id)
        WHERE NOT is_window OR period_start - toIntervalHour(window_hours) < {until:DateTime64(6, 'UTC')}
    ),
    changes AS
    (
        SELECT
            budget_id,
            arrayStringConcat(arrayMap(value -> concat(toString(length(value)), ':', value), vals)) AS who,
            period_key,
            groupArray((threshold, threshold_amount, at, direction = 'down', period_start)) AS all_changes
        FROM budget_crossings
        WHERE
            kind = 'actual'
            -- A period of the same name can begin and end hours away, in another time zone.
            AND (
                period_key = {window:String}
                OR (
                    period_end > {start:DateTime('UTC')} - toIntervalDay(2)
                    AND period_start < {until:DateTime64(6, 'UTC')}
                )
            )
        GROUP BY budget_id, who, period_key
    )
SELECT
    standings.budget_id AS budget_id,
    name,
    owner,
    parent,
    per,
    vals,
    is_window,
    window_hours,
    period_start,
    period_end,
    amount,
    spent + held AS used,
    held,
    unpriced_events,
    used > amount AS over,
    -- The last change of each threshold, where that is upwards.
    arrayMap(
        change -> (change.1, change.2, change.3),
        arrayFilter(
            (change, next, left) -> NOT change.4 AND (left = 1 OR (change.1, change.2) != (next.1, next.2)),
            arraySort(arrayFilter(change -> change.5 <= period_start, all_changes)) AS in_order,
            arrayShiftLeft(in_order, 1),
            arrayReverse(arrayEnumerate(in_order))
        )
    ) AS crossed,
    updated_at,
    count() OVER (PARTITION BY budget_id) AS all_values,
    countIf(notEmpty(crossed)) OVER (PARTITION BY budget_id) AS crossed_values,
    countIf(over) OVER (PARTITION BY budget_id) AS over_values,
    unit,
    currency,
    rate
FROM standings
LEFT JOIN changes
    ON
        standings.budget_id = changes.budget_id
        AND standings.who = changes.who
        AND standings.period_key = changes.period_key
ORDER BY
    budget_id,
    if(amount > 0, toFloat64(used) / toFloat64(amount), inf) DESC,
    used DESC,
    vals
LIMIT {rows:UInt32} BY budget_id;

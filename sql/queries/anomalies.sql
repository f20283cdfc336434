-- What was unusual in the last 7 days, one line for each cause: where, how much, why, and what people said of it.
SELECT
    starts_at,
    ends_at,
    severity,
    kind,
    if(series = '', 'all usage', series) AS series,
    measure,
    actual,
    expected,
    JSONExtractString(cause, 'sentences', 1) AS why,
    silenced_by,
    mark,
    note,
    finding_id
FROM
(
    SELECT
        *,
        if(group_id = '', finding_id, group_id) AS same_cause,
        indexOf(['critical', 'error', 'warning', 'info'], severity) AS grave
    FROM anomalies
    WHERE closing != 'corrected' AND (ends_at IS NULL OR ends_at > now64(6, 'UTC') - toIntervalDay(7))
    ORDER BY
        grave, abs(excess) DESC, finding_id
    LIMIT 1 BY same_cause
)
ORDER BY
    starts_at DESC, finding_id
LIMIT 100;

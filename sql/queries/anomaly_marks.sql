-- How good the alerts of anomalies are: by severity, what people said of the causes that they were told of in 30 days.
SELECT
    severity,
    count() AS causes,
    countIf(mark = 'real') AS real,
    countIf(mark = 'expected') AS expected,
    countIf(mark = '') AS nothing_said
FROM
(
    SELECT
        severity,
        mark
    FROM anomalies
    WHERE silenced_by = '' AND closing != 'corrected' AND detected_at > now64(6, 'UTC') - toIntervalDay(30)
    ORDER BY
        indexOf(['critical', 'error', 'warning', 'info'], severity)
    LIMIT 1 BY if(group_id = '', finding_id, group_id)
)
GROUP BY severity
ORDER BY indexOf(['critical', 'error', 'warning', 'info'], severity);

-- What was found in the period, one finding for each cause: the one that leads, how many there are of it, and of how many
-- causes; before all others those that people were told of. What was taken back is left out, and what is silenced.
SELECT
    finding_id, version, changed_at, state, kind, direction, scale, measure, dims, vals, starts_at, detected_at, ends_at,
    expected, actual, low, high, per_day, score, severity, known_until, is_calm, closing, group_id, silenced_by, cause,
    mark, note, marked_by, marked_at, members, count() OVER () AS causes, told
FROM
(
    SELECT
        *,
        indexOf(['critical', 'error', 'warning', 'info'], severity) AS grave,
        if(group_id = '', finding_id, group_id) AS same_cause,
        count() OVER (PARTITION BY same_cause) AS members,
        concat('anomaly/', same_cause) IN (SELECT alert_id FROM alert_events WHERE kind = 'anomaly') AS told
    FROM anomalies
    WHERE starts_at < {end:DateTime('UTC')} AND (ends_at IS NULL OR ends_at > {start:DateTime('UTC')})
        AND closing != 'corrected' AND silenced_by = '' AND mark != 'expected'
    ORDER BY
        grave, abs(excess) DESC, finding_id
    LIMIT 1 BY same_cause
)
ORDER BY
    told DESC, grave, abs(excess) DESC, finding_id
LIMIT {rows:UInt32};

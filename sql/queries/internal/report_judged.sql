-- Whether the job has ever judged anything, whether something of the period, and how many findings of it nobody is told of.
SELECT
    (SELECT count() FROM anomaly_states) + (SELECT count() FROM anomaly_findings) + (SELECT count() FROM anomaly_scores) AS ever,
    (
        SELECT count()
        FROM anomaly_scores
        WHERE at > {start:DateTime('UTC')} AND at < {end:DateTime('UTC')} + toIntervalHour(1)
    ) AS judged,
    (
        SELECT count()
        FROM anomalies
        WHERE starts_at < {end:DateTime('UTC')} AND (ends_at IS NULL OR ends_at > {start:DateTime('UTC')})
            AND closing != 'corrected' AND (silenced_by != '' OR mark = 'expected')
    ) AS silenced;

-- Everything that happened to findings: opened (again, where it had been closed), amended and closed by the job, and
-- marked by people. What was over when it was first recorded is opened and closed at once. A row that closes what is
-- closed already (its cause has come, or its figures) amends it, unless late entries took it back. Filter by finding_id
-- or at. The last ones first with ORDER BY at DESC.
CREATE OR REPLACE VIEW anomaly_history AS
SELECT
    at,
    finding_id,
    version,
    multiIf(
        state_before = '' AND anomaly_findings.state = 'closed', 'opened and closed',
        anomaly_findings.state = 'open' AND state_before != 'open', 'opened',
        anomaly_findings.state = 'closed' AND (state_before != 'closed' OR closing != closing_before), 'closed',
        'amended'
    ) AS change,
    toString(anomaly_findings.state) AS state,
    severity,
    closing,
    starts_at,
    ends_at,
    toNullable(expected) AS expected,
    toNullable(actual) AS actual,
    toNullable(per_day) AS per_day,
    group_id,
    silenced_by,
    '' AS note,
    '' AS by
FROM anomaly_findings
INNER JOIN
(
    SELECT
        finding_id,
        version,
        lagInFrame(toString(anomaly_findings.state)) OVER versions AS state_before,
        lagInFrame(closing) OVER versions AS closing_before
    FROM anomaly_findings
    WINDOW versions AS (PARTITION BY finding_id ORDER BY version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
) AS before USING (finding_id, version)
UNION ALL
SELECT
    anomaly_marks.at AS at,
    finding_id,
    toUInt32(0) AS version,
    concat('marked ', mark) AS change,
    '' AS state,
    '' AS severity,
    '' AS closing,
    NULL AS starts_at,
    NULL AS ends_at,
    NULL AS expected,
    NULL AS actual,
    NULL AS per_day,
    '' AS group_id,
    '' AS silenced_by,
    note,
    anomaly_marks.by AS by
FROM anomaly_marks;

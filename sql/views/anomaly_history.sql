-- Everything that happened to findings: opened, amended and closed by the job, and marked by people. Filter by finding_id
-- or at. The last ones first with ORDER BY at DESC.
CREATE OR REPLACE VIEW anomaly_history AS
SELECT
    at,
    finding_id,
    version,
    multiIf(anomaly_findings.state = 'closed', 'closed', version = first_version, 'opened', 'amended') AS change,
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
        min(version) AS first_version
    FROM anomaly_findings
    GROUP BY finding_id
) AS firsts USING (finding_id)
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

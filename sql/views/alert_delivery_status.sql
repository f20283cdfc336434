-- What each receiver was told of each run of a group, and whether the last attempt arrived. alerts_told counts alerts
-- that it heard of for the first time: summed per receiver, the number of alerts that were told.
CREATE OR REPLACE VIEW alert_delivery_status AS
SELECT
    receiver,
    group_id,
    any(told_rows.alert_group) AS alert_group,
    argMax(told_rows.state, (told_rows.revision, told_rows.at)) AS state,
    argMax(told_rows.action, (told_rows.revision, told_rows.at)) AS action,
    argMax(told_rows.severity, (told_rows.revision, told_rows.at)) AS severity,
    argMax(told_rows.change, (told_rows.revision, told_rows.at)) AS change,
    argMax(told_rows.open_alerts, (told_rows.revision, told_rows.at)) AS open_alerts,
    argMax(told_rows.answer, (told_rows.revision, told_rows.at)) AS answer,
    max(told_rows.revision) AS revision,
    uniqExactIf(told_rows.key, told_rows.state = 'sent') AS notifications,
    countIf(told_rows.state = 'failed') AS failed_attempts,
    sumIf(told_rows.first_told, told_rows.state IN ('sent', 'skipped')) AS alerts_told,
    maxIf(told_rows.at, told_rows.state IN ('sent', 'skipped')) AS last_told_at,
    max(told_rows.at) AS last_attempt_at
FROM
(
    SELECT *
    FROM alert_deliveries
    ORDER BY at
    LIMIT 1 BY receiver, key, state, attempt
) AS told_rows
GROUP BY
    receiver, group_id;

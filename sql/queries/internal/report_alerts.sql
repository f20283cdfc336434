-- Alerts that were opened in [start, until), each as it stands now: the gravest and dearest first.
SELECT
    alert_id,
    episode,
    opened_at,
    kind,
    severity,
    summary,
    owner,
    money_usd,
    status,
    silenced,
    acknowledged_by,
    resolved_at,
    resolution,
    count() OVER () AS alerts
FROM
(
    SELECT
        alert_id,
        episode,
        minIf(at, change IN ('opened', 'reopened')) AS opened_at,
        argMax(alert_events.kind, position) AS kind,
        argMax(alert_events.severity, position) AS severity,
        argMax(alert_events.summary, position) AS summary,
        argMax(alert_events.owner, position) AS owner,
        argMax(alert_events.money_usd, position) AS money_usd,
        argMax(alert_events.status, position) AS status,
        argMax(alert_events.silence_id, position) != '' AND status = 'open' AS silenced,
        argMaxIf(`by`, position, change = 'acknowledged') AS acknowledged_by,
        if(status = 'resolved', toNullable(argMax(at, position)), NULL) AS resolved_at,
        if(status = 'resolved', argMax(note, position), '') AS resolution
    FROM alert_events
    WHERE change != 'ack_refused' AND at >= {start:DateTime('UTC')}
    GROUP BY alert_id, episode
    HAVING countIf(change IN ('opened', 'reopened')) > 0
)
WHERE opened_at < {until:DateTime64(6, 'UTC')}
ORDER BY
    indexOf(['critical', 'error', 'warning', 'info'], severity),
    money_usd DESC,
    opened_at,
    alert_id
LIMIT {rows:UInt32};

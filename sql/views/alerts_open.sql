-- Alerts that are not over, as they stand: what holds, how grave it is, what is at stake, who looks after it.
CREATE OR REPLACE VIEW alerts_open AS
SELECT
    alert_events.alert_id AS alert_id,
    alert_events.kind AS kind,
    name,
    if(silence_id != '' AND alert_events.status = 'open', 'silenced', alert_events.status) AS state,
    alert_events.severity AS severity,
    level,
    summary,
    money_usd,
    owner,
    labels,
    alert_group,
    starts_at,
    parseDateTime64BestEffort(JSONExtractString(document, 'opened_at'), 6, 'UTC') AS opened_at,
    alert_events.at AS changed_at,
    episode,
    JSONExtractString(document, 'acknowledged_by') AS acknowledged_by,
    silence_id,
    receivers
FROM alert_events
WHERE (alert_events.alert_id, alert_events.position) IN
(
    SELECT
        alert_id,
        max(position)
    FROM alert_events
    WHERE change != 'ack_refused'
    GROUP BY alert_id
    HAVING argMax(status, position) != 'resolved'
);

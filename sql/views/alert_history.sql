-- Everything that happened to alerts: filter by alert_id or at. The last ones first with ORDER BY position DESC.
CREATE OR REPLACE VIEW alert_history AS
SELECT
    at,
    alert_id,
    episode,
    change,
    status,
    kind,
    name,
    severity,
    level,
    summary,
    money_usd,
    owner,
    labels,
    alert_group,
    `by`,
    note,
    request_id,
    silence_id,
    receivers,
    starts_at,
    observed_at,
    position
FROM alert_events;

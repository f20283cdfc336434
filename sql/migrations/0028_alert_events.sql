-- The history of alerts: one row per change, with the whole alert as it stood after it. Append-only; the alerts job
-- rebuilds what it knows from the last row of each alert that is not over.
--
-- position numbers all changes. Of the rows of one alert the one with the highest position is the last one. A worker that
--   lost the topic may have inserted the same change under another position just before: episode and at tell them apart.
-- ORDER BY the alert: the job and `spendstream alerts show` ask for one alert's rows; what changed lately is found by the
--   index of minima and maxima.
-- receivers: who is to hear of it; empty while it is silenced. document: the alert, JSON.
CREATE TABLE IF NOT EXISTS alert_events
(
    alert_id String CODEC(ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    episode UInt32 CODEC(T64, ZSTD(1)) COMMENT 'rises each time it fires after it was over; 0: was never seen firing',
    change LowCardinality(String) COMMENT 'opened, reopened, escalated, amended, acknowledged, resolved, silenced, unsilenced or ack_refused',
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the alerts job recorded it',
    status LowCardinality(String) COMMENT 'after it: open, acknowledged or resolved; empty: there is no such alert',
    kind LowCardinality(String) COMMENT 'budget, forecast, anomaly or data_quality',
    name LowCardinality(String) COMMENT 'of the rule that found it',
    severity LowCardinality(String) COMMENT 'info, warning, error or critical, raised by the rules of alerts.yaml',
    level UInt32 CODEC(T64, ZSTD(1)),
    alert_group String CODEC(ZSTD(1)) COMMENT 'what it is told together with',
    summary String CODEC(ZSTD(1)),
    owner LowCardinality(String),
    labels Map(LowCardinality(String), String),
    money_usd Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'at stake',
    starts_at DateTime64(6, 'UTC') CODEC(ZSTD(1)) COMMENT 'since when the condition holds',
    observed_at DateTime64(6, 'UTC') CODEC(ZSTD(1)) COMMENT 'when whoever found it looked',
    `by` LowCardinality(String) COMMENT 'who acknowledged it',
    note String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)) COMMENT 'of an acknowledgement',
    silence_id String CODEC(ZSTD(1)) COMMENT 'of the silence that holds for it',
    receivers Array(LowCardinality(String)),
    document String CODEC(ZSTD(3)),
    INDEX when_changed at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (alert_id, position)
TTL toDateTime(at) + toIntervalDay(400)
SETTINGS
    index_granularity = 512,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

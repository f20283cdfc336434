-- Silences: alerts that one holds for are kept, but told to nobody until it ends. Append-only: of the rows of one
-- silence, the one that ends first holds, so lifting it is final.
--
-- ORDER BY the silence; few rows.
CREATE TABLE IF NOT EXISTS alert_silences
(
    silence_id String CODEC(ZSTD(1)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the alerts job recorded it',
    starts_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ends_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    scope String CODEC(ZSTD(1)) COMMENT 'JSON: conditions on the labels of alerts',
    kinds Array(LowCardinality(String)) COMMENT 'empty: all of them',
    alert_id String CODEC(ZSTD(1)) COMMENT 'only this alert; empty: all in scope',
    `by` LowCardinality(String),
    note String CODEC(ZSTD(1)),
    document String CODEC(ZSTD(1)) COMMENT 'the record, JSON'
)
ENGINE = MergeTree
ORDER BY (silence_id, at)
TTL toDateTime(at) + toIntervalDay(400)
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

-- Each time a quarantined message was sent again. A quarantined message without a row in here is open.
--
-- ORDER BY the position of the quarantined message: that is what it is joined by.
CREATE TABLE IF NOT EXISTS quarantine_replays
(
    replayed_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    topic_id LowCardinality(String) COMMENT 'of the quarantined message, like partition and offset',
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    new_topic LowCardinality(String),
    new_partition Int32 CODEC(T64, ZSTD(1)) COMMENT '-1 when the broker did not say',
    new_offset Int64 CODEC(Delta, ZSTD(1)) COMMENT '-1 when the broker did not say',
    operator LowCardinality(String) COMMENT 'who did it',
    note String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(replayed_at)
ORDER BY (topic_id, partition, offset, replayed_at)
SETTINGS
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

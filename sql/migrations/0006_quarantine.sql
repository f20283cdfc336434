-- What could not be accepted: the raw bytes, where they came from, and why. Append-only; a replay is a row of its own.
--
-- PARTITION BY month for retention. ORDER BY time (people look at the latest first), then the source's position, which
--   makes a row findable and the order total. raw is up to some MiB of text: ZSTD(3), for it is read rarely.
-- Small granules: one row can be large, and people read single rows.
CREATE TABLE IF NOT EXISTS quarantine
(
    quarantined_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    topic LowCardinality(String),
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    record_timestamp Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)) COMMENT 'as Kafka has it',
    key String CODEC(ZSTD(1)) COMMENT 'raw bytes',
    raw String CODEC(ZSTD(3)) COMMENT 'raw bytes of the value; its beginning where it was too large to keep',
    raw_size UInt64 CODEC(T64, ZSTD(1)) COMMENT 'bytes of the whole value',
    raw_sha256 String CODEC(ZSTD(1)) COMMENT 'hexadecimal, of the whole value',
    reason LowCardinality(String),
    path String CODEC(ZSTD(1)) COMMENT 'the field that is wrong',
    detail String CODEC(ZSTD(1)),
    source LowCardinality(String) COMMENT 'the service, if it could be read',
    event_id String CODEC(ZSTD(1)) COMMENT 'if it could be read'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(quarantined_at)
ORDER BY (quarantined_at, topic_id, partition, offset)
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

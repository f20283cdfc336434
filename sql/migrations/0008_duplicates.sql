-- Messages whose event_id (and revision) was booked before: dropped, but never silently.
--
-- ORDER BY time: the question is "how many, since when, from which service's retries". PARTITION BY month for retention.
CREATE TABLE IF NOT EXISTS duplicates
(
    seen_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    source LowCardinality(String),
    topic LowCardinality(String),
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),
    first_booked_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)) COMMENT 'of the copy that counts, if known'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(seen_at)
ORDER BY (seen_at, topic_id, partition, offset)
SETTINGS
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

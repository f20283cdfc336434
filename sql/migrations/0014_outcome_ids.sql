-- Which outcomes are known: the same as booked_ids, for the other topic.
CREATE TABLE IF NOT EXISTS outcome_ids
(
    event_id String CODEC(ZSTD(1)),
    booked_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(booked_at)
ORDER BY event_id
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

CREATE MATERIALIZED VIEW IF NOT EXISTS outcome_ids_feed TO outcome_ids AS
SELECT
    event_id,
    booked_at,
    topic_id,
    partition,
    offset
FROM outcomes;

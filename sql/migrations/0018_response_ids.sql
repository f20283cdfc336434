-- Which events report which call of a provider, for the question of reconciliation: "did two sources report one call?"
--
-- Filled by the reconciliation job once per pass, not by a view on the ledger: a view would cost every booking something,
--   while the question is asked once a minute. The ledger stays the truth; this is an index of it.
-- ORDER BY the provider's id of the call: that is what is looked up. INDEX on booked_at: which blocks are in here already.
-- A ReplacingMergeTree, because passes overlap and write rows again; readers count distinct events, never rows.
-- PARTITION BY month like the ledger, so that retention drops the same months.
CREATE TABLE IF NOT EXISTS response_ids
(
    response_id String CODEC(ZSTD(1)),
    provider LowCardinality(String),
    kind LowCardinality(String) COMMENT 'tokens, compute or metered',
    event_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    source LowCardinality(String),
    booked_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    topic_id LowCardinality(String) COMMENT 'with partition and booked_at: the block it came from',
    partition UInt32 CODEC(T64, ZSTD(1)),

    INDEX booked_at_range booked_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(booked_at)
ORDER BY (response_id, provider, kind, event_id, revision)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

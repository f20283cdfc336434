-- What became of a block once everything it wrote is in the store: received = booked + duplicates + quarantined.
--
-- ORDER BY like blocks: the two are joined by topic, partition and range.
CREATE TABLE IF NOT EXISTS block_receipts
(
    topic LowCardinality(String),
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    first_offset UInt64 CODEC(Delta, ZSTD(1)),
    last_offset UInt64 CODEC(Delta, ZSTD(1)),
    worker LowCardinality(String),
    received UInt64 CODEC(T64, ZSTD(1)),
    booked UInt64 CODEC(T64, ZSTD(1)),
    duplicates UInt64 CODEC(T64, ZSTD(1)),
    quarantined UInt64 CODEC(T64, ZSTD(1)),
    unpriced UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of the booked',
    unknown_fields UInt64 CODEC(T64, ZSTD(1)) COMMENT 'events that held fields this version does not know',
    completed_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (topic_id, partition, last_offset, completed_at)
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

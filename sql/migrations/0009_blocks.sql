-- What a worker intends to book: one contiguous range of offsets of one partition, and the versions it computes with.
-- The row is written before the offset is committed, so a range whose commit never came is possible, and two rows can
-- end at the same offset. Official are the ranges that tile the offsets.
--
-- ORDER BY answers "the last block of this partition that ends at offset X" with one granule. last_offset is inclusive.
-- No PARTITION BY: it is a small table (one row per block), and the question does not know the month.
CREATE TABLE IF NOT EXISTS blocks
(
    topic LowCardinality(String),
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    first_offset UInt64 CODEC(Delta, ZSTD(1)),
    last_offset UInt64 CODEC(Delta, ZSTD(1)),
    worker LowCardinality(String),
    fixed_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    price_book_version LowCardinality(String),
    attribution_version LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY (topic_id, partition, last_offset, fixed_at)
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

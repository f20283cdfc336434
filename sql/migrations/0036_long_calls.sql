-- How long the longest calls of a model are: the 99.9th percentiles of its single events, worked out from the ledger about
--   once an hour, and only while events come whose usage nobody knows. Such an event is held at what a long call of its model
--   costs. The rows of one `at` belong together and are never changed: a block that is done again finds the ones it used.
-- ORDER BY at: the latest before an instant is asked for. PARTITION BY month: it goes with the blocks that used it.
CREATE TABLE IF NOT EXISTS long_calls
(
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'of the block that first needed them',
    price_model LowCardinality(String) COMMENT 'as in the ledger; empty: all token events',
    events UInt64 CODEC(T64, ZSTD(1)) COMMENT 'how many these are the percentiles of',
    cost Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'USD of one event',
    input_tokens Int64 CODEC(T64, ZSTD(1)),
    output_tokens Int64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, price_model)
SETTINGS
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window = 1000;

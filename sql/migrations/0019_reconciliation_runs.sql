-- When the ledger was reconciled, by whom, over what, and what it came to. One row when a run opens, one when it ends.
--
-- turn numbers the runs: a run is opened by inserting the row of the next turn with the turn as the token, so of two
--   that open at once one is dropped. ORDER BY turn; a run has two rows.
-- since and until are about the time of booking. A run that ends as done has seen everything booked up to its beginning.
-- No TTL: it is the audit of corrections, and has one small row per minute.
CREATE TABLE IF NOT EXISTS reconciliation_runs
(
    turn UInt64 CODEC(Delta, ZSTD(1)),
    state Enum8('open' = 1, 'done' = 2, 'failed' = 3),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    owner String CODEC(ZSTD(1)) COMMENT 'the process, unique',
    worker LowCardinality(String) COMMENT 'the machine it ran on',
    trigger LowCardinality(String) COMMENT 'timer or command',
    since DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'booked_at, inclusive',
    examined UInt64 CODEC(T64, ZSTD(1)) COMMENT 'ledger entries in the time looked at',
    findings UInt64 CODEC(T64, ZSTD(1)),
    entries UInt64 CODEC(T64, ZSTD(1)) COMMENT 'posted to the ledger',
    list_cost Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'sum of what was posted',
    effective_cost Decimal(38, 12) CODEC(ZSTD(1)),
    detail String CODEC(ZSTD(1)) COMMENT 'why it failed'
)
ENGINE = MergeTree
ORDER BY (turn, at)
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

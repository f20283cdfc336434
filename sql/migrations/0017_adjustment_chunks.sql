-- The entries that a run is about to post, written before they are: a run that was interrupted posts these and no
-- others, whatever was booked in the meantime. One row per chunk when it is planned, one when it is posted.
--
-- entries is the insert itself (an Arrow stream of ledger rows, compressed), so that repeating it repeats every byte.
-- Of several plans of one chunk the first counts; the token lets only one in.
-- TTL: once the run is done this is a copy of what the ledger holds.
CREATE TABLE IF NOT EXISTS adjustment_chunks
(
    run String CODEC(ZSTD(1)),
    chunk UInt32 CODEC(T64, ZSTD(1)),
    state Enum8('planned' = 1, 'posted' = 2),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    attempt String COMMENT 'who planned it: one process of a run',
    events UInt64 COMMENT 'looked at',
    adjusted UInt64,
    entry_count UInt64,
    details String CODEC(ZSTD(3)) COMMENT 'JSON: differences by model and team',
    entries String CODEC(NONE)
)
ENGINE = MergeTree
ORDER BY (run, chunk, state, at)
TTL toDateTime(at) + INTERVAL 14 DAY
SETTINGS
    index_granularity = 8,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

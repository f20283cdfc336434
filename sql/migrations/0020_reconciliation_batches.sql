-- What a reconciliation run is about to post, written before it is posted: an insert that was cut (between the ledger
-- and a rollup, say) is repeated with the same token and the same bytes by whoever runs next. One row when a batch is
-- planned, one when it is posted.
--
-- batch is the token of the inserts: a digest of the findings and of what the ledger held of those events, so that two
--   runs which find the same post it once, and the same posting after other entries is another batch.
-- ledger_rows and finding_rows are the inserts themselves (Arrow streams, compressed).
-- TTL: once posted this is a copy of what the ledger holds.
CREATE TABLE IF NOT EXISTS reconciliation_batches
(
    batch String CODEC(ZSTD(1)),
    turn UInt64 CODEC(Delta, ZSTD(1)),
    state Enum8('planned' = 1, 'posted' = 2),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    entries UInt64 CODEC(T64, ZSTD(1)),
    ledger_rows String CODEC(NONE),
    finding_rows String CODEC(NONE)
)
ENGINE = MergeTree
ORDER BY (at, batch)
TTL toDateTime(at) + INTERVAL 35 DAY
SETTINGS
    index_granularity = 64,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

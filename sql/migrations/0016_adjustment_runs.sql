-- Who re-priced or re-attributed history, when, why, with which versions, and what it came to. One row when a run
-- opens, one when it ends. Append-only.
--
-- turn numbers the runs: a run is opened by inserting the row of the next turn with the turn as the token, so of two
-- that open at once one is dropped, and there is never more than one open run. ORDER BY turn; a run has few rows.
-- chunks is the plan, fixed when the run opens: a run that is resumed cuts the ledger as it did before.
-- No TTL: the audit of corrections stays as long as anybody may ask.
CREATE TABLE IF NOT EXISTS adjustment_runs
(
    turn UInt64 CODEC(Delta, ZSTD(1)),
    run String CODEC(ZSTD(1)),
    state Enum8('open' = 1, 'done' = 2, 'abandoned' = 3),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'reprice, reattribute or unpriced',
    operator String COMMENT 'who did it',
    note String COMMENT 'why',
    since DateTime64(6, 'UTC') COMMENT 'occurred_at, inclusive',
    until DateTime64(6, 'UTC') COMMENT 'occurred_at, exclusive',
    filters Map(LowCardinality(String), String),
    price_book_version LowCardinality(String),
    attribution_version LowCardinality(String),
    chunks String CODEC(ZSTD(3)) COMMENT 'JSON: the plan; empty in the row that ends the run',
    events UInt64 COMMENT 'looked at',
    adjusted UInt64 COMMENT 'events whose entries did not add up to what they should',
    entries UInt64 COMMENT 'adjustments posted',
    list_cost Decimal(38, 12) COMMENT 'sum of the adjustments',
    contracted_cost Decimal(38, 12),
    effective_cost Decimal(38, 12),
    details String CODEC(ZSTD(3)) COMMENT 'JSON: differences by model and team, and what was left as it is'
)
ENGINE = MergeTree
ORDER BY (turn, at)
SETTINGS
    index_granularity = 256,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

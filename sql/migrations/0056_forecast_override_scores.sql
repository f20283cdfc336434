-- What came of the time that somebody expected something of, beside what that person and the model had said: one row for
-- each, which is replaced as the time passes.
--
-- ReplacingMergeTree: of one override the last score counts; ask with FINAL. ORDER BY its id. Few in years, so neither
--   partitions nor a TTL.
-- insert_before: who stood still in the middle of a run, and is not the reader of the deltas any more, adds nothing to it
--   after that instant, by the clock of the store (see 0022).
CREATE TABLE IF NOT EXISTS forecast_override_scores
(
    override_id String COMMENT 'as in forecast_overrides',
    scored_at DateTime64(6, 'UTC'),
    part Decimal(38, 12) COMMENT 'of the time that is over and known, as the model spreads it: 1 is all of it',
    came Decimal(38, 12) COMMENT 'in that part, in USD',
    override Decimal(38, 12) COMMENT 'what the person had said of it',
    model Nullable(Decimal(38, 12)) COMMENT 'what the model had said of it; NULL: nothing',
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = ReplacingMergeTree(scored_at)
ORDER BY override_id
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

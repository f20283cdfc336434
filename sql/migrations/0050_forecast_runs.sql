-- Runs of the forecasts job: a row when one begins, and one when it is over. What a run has written counts once its row
-- 'complete' is there, which is written last: half a run is never seen. 'stale' and 'failed': the forecast of before stays,
-- and people are told since when and why. 'requested': somebody wants one now.
--
-- Few, so no partitions. ORDER BY when the run began: people ask for the last.
-- insert_before: who stood still in the middle of a run, and is not the reader of the deltas any more, adds nothing to it
--   after that instant, by the clock of the store (see 0022).
CREATE TABLE IF NOT EXISTS forecast_runs
(
    run DateTime64(6, 'UTC') COMMENT 'when it began, by the store''s clock: the rows of a run have the same',
    grain Enum8('hour' = 1, 'day' = 2) COMMENT 'of its steps',
    status Enum8('requested' = 0, 'running' = 1, 'complete' = 2, 'failed' = 3, 'stale' = 4),
    at DateTime64(6, 'UTC') COMMENT 'of this row',
    known_until DateTime64(6, 'UTC') COMMENT 'everything that happened by then was in the ledger, or nearly so',
    due_at DateTime64(6, 'UTC') COMMENT 'when the next one should be there, at the latest',
    series UInt32 COMMENT 'that were looked at',
    refused UInt32 COMMENT 'of these, of which nothing can be said',
    budgets UInt32 COMMENT 'and their values, whose period was looked at',
    duration_ms UInt32,
    version LowCardinality(String) COMMENT 'of the method',
    error String COMMENT 'why it failed, or why the forecast is stale',
    by String COMMENT 'who requested it',
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = MergeTree
ORDER BY (run, grain, status)
TTL toDateTime(run) + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

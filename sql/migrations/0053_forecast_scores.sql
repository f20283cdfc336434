-- What was said of a time, beside what came: a row for each hour or day that is over, each series, and each range of how
-- far ahead it was said, of all complete runs together.
--
-- ReplacingMergeTree: what is scored again replaces what was said before, so that each step counts once. PARTITION BY the
--   month, for retention. ORDER BY the series: its quality is a sum over time.
CREATE TABLE IF NOT EXISTS forecast_scores
(
    grain Enum8('hour' = 1, 'day' = 2),
    budget_id LowCardinality(String),
    dims Array(LowCardinality(String)),
    vals Array(String) CODEC(ZSTD(1)),
    measure LowCardinality(String),
    ahead UInt16 COMMENT 'the last step of the range: of hours 3, 8, 24, 48, 72; of days 1, 3, 7, 14, 30, 90, 400',
    at DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'where the hour or the day begins',
    n UInt32 COMMENT 'forecasts of it',
    inside UInt32 COMMENT 'of these, p10 and p90 had it between them',
    below UInt32 COMMENT 'it was below p10',
    above UInt32,
    scaled UInt32 COMMENT 'of these, a scale was known',
    error Float64 CODEC(ZSTD(1)) COMMENT 'of these, the sum of distances from p50, in units of the scale of the series',
    scored_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = ReplacingMergeTree(scored_at)
PARTITION BY toYYYYMM(at)
ORDER BY (grain, budget_id, dims, vals, measure, ahead, at)
TTL at + INTERVAL 120 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

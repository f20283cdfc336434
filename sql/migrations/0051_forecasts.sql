-- What runs have said of each series, step by step. Ask the view forecasts_now: rows of a run that is not complete mean
-- nothing.
--
-- PARTITION BY the month of the run: an insert is of one run, so of one partition. ORDER BY the run, then the series: the
--   latest run, and of it one series, are read together.
-- TTL by the time of the step: what was said of a time is of use until it is over and was scored.
CREATE TABLE IF NOT EXISTS forecasts
(
    run DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    grain Enum8('hour' = 1, 'day' = 2),
    budget_id LowCardinality(String) COMMENT 'of a budget''s series; empty: of a value of attribution, or of everything',
    dims Array(LowCardinality(String)) COMMENT 'what the series is of; empty: of everything',
    vals Array(String) CODEC(ZSTD(1)) COMMENT 'the values of dims, in their order; an empty one: all that have no series of their own',
    measure LowCardinality(String) COMMENT 'effective_cost in USD, or what a quota counts',
    at DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'where the step begins: an hour, or a day of the zone of its series',
    p10 Decimal(38, 12) CODEC(ZSTD(1)),
    p50 Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'a statistic, as all of these; medians do not add up to the median of a sum',
    p90 Decimal(38, 12) CODEC(ZSTD(1)),
    sum_p10 Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'of all from the first step to the end of this one together: quantiles of their own',
    sum_p50 Decimal(38, 12) CODEC(ZSTD(1)),
    sum_p90 Decimal(38, 12) CODEC(ZSTD(1)),
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(run)
ORDER BY (grain, run, budget_id, dims, vals, measure, at)
TTL at + INTERVAL 35 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

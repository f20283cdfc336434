-- How each series of a run was forecast, and how far one can rely on it.
--
-- PARTITION BY, ORDER BY as forecasts, whose rows these stand beside.
CREATE TABLE IF NOT EXISTS forecast_series
(
    run DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    grain Enum8('hour' = 1, 'day' = 2),
    budget_id LowCardinality(String),
    dims Array(LowCardinality(String)),
    vals Array(String) CODEC(ZSTD(1)),
    measure LowCardinality(String),
    zone LowCardinality(String) COMMENT 'whose days the steps are',
    until DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'where the last step begins; of what was refused, the run',
    known UInt32 COMMENT 'cells of history that are known',
    label LowCardinality(String) COMMENT 'steady, provisional, cold start, intermittent, dead or refused',
    why String CODEC(ZSTD(1)) COMMENT 'of the label, in words',
    method LowCardinality(String),
    members Array(LowCardinality(String)),
    scale Float64 CODEC(ZSTD(1)) COMMENT 'how far the same hour of the day before, or weekday of the week before, was off of late; 0: not known',
    scored UInt32 COMMENT 'steps of earlier runs that are over',
    error Nullable(Float64) COMMENT 'of these: the mean distance of p50 from what came, in units of scale; 1: as good as naive',
    coverage Nullable(Float64) COMMENT 'of these: the share within p10 and p90; 0.8 is what is meant',
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(run)
ORDER BY (grain, run, budget_id, dims, vals, measure)
TTL until + INTERVAL 35 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

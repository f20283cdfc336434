-- What each budget's period will come to, as each run saw it. Ask the view budget_forecasts_now: rows of a run that is not
-- complete mean nothing.
--
-- PARTITION BY the month of the run; ORDER BY the run, then the budget: the latest is read, and of old ones the way it went.
-- The arrays stand side by side: one place for each forecast threshold of the budget, in rising order.
CREATE TABLE IF NOT EXISTS budget_forecasts
(
    run DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    grain Enum8('hour' = 1, 'day' = 2) COMMENT 'of the steps that were added up',
    budget_id LowCardinality(String),
    vals Array(String) CODEC(ZSTD(1)) COMMENT 'of the budget''s per fields, in their order',
    period_key String COMMENT 'as in budget_periods',
    period_start DateTime64(6, 'UTC'),
    period_end DateTime64(6, 'UTC'),
    unit LowCardinality(String) COMMENT 'USD, or what a quota counts, as in budget_periods',
    currency LowCardinality(String) COMMENT 'that the budget is stated in',
    rate Decimal(38, 12) COMMENT 'USD for one of it',
    amount Decimal(38, 12) COMMENT 'in unit, with credits',
    spent Decimal(38, 12) COMMENT 'of the period, up to the run',
    p10 Nullable(Decimal(38, 12)) COMMENT 'of the whole period, with what is spent: quantiles of their own, no sums of steps; NULL: refused',
    p50 Nullable(Decimal(38, 12)),
    p90 Nullable(Decimal(38, 12)),
    thresholds Array(Decimal(9, 3)) COMMENT 'percents of the amount',
    probabilities Array(Float64) COMMENT 'that the period passes them',
    raised_since Array(DateTime64(6, 'UTC')) COMMENT 'since when people are told; 1970-01-01: they are not',
    states Array(String) CODEC(ZSTD(1)) COMMENT 'JSON: what the next run goes on with when it decides whether to tell them',
    evaluated_at DateTime64(6, 'UTC') COMMENT 'the run that these states are of: not each decides',
    breach_p10 Nullable(DateTime64(6, 'UTC')) COMMENT 'one in ten that it is used up by then; NULL: not within the period',
    breach_p50 Nullable(DateTime64(6, 'UTC')),
    breach_p90 Nullable(DateTime64(6, 'UTC')),
    label LowCardinality(String) COMMENT 'as in forecast_series',
    why String CODEC(ZSTD(1)),
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(run)
ORDER BY (run, budget_id, vals)
TTL toDateTime(run) + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

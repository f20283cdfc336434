-- What moves each cost that a run of days forecasts: the mean day of the next weeks beside the mean day of the last four, and
-- what of the difference is requests, tokens per request, prices that are known to come, and the rest of what a token costs.
-- Rows of a run count once forecast_runs says that it is 'complete': ask the view drivers_ahead.
--
-- The factors multiply to ratio; the USD add up to cost_ahead - cost_lately (the logarithmic mean). All are statistics:
--   medians of sums, no sums of medians.
-- PARTITION BY, ORDER BY as forecast_series, beside whose rows these stand.
CREATE TABLE IF NOT EXISTS forecast_drivers
(
    run DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    dims Array(LowCardinality(String)) COMMENT 'what the series is of; empty: of everything',
    vals Array(String) CODEC(ZSTD(1)) COMMENT 'the values of dims, in their order; an empty one: all that have no series of their own',
    days UInt16 COMMENT 'so many from the first forecast day on are compared with the last 28',
    per LowCardinality(String) COMMENT 'what the price is of: token, request or nothing. Compute has no tokens, lump sums have no requests',
    cost_lately Decimal(38, 12) COMMENT 'USD of a day, in the mean of those that are known',
    cost_ahead Nullable(Decimal(38, 12)) COMMENT 'NULL, here and below: it cannot be told, and why says why',
    requests_lately Float64 CODEC(ZSTD(1)) COMMENT 'of a day',
    requests_ahead Nullable(Float64) CODEC(ZSTD(1)),
    tokens_lately Float64 CODEC(ZSTD(1)) COMMENT 'of a day',
    tokens_ahead Nullable(Float64) CODEC(ZSTD(1)),
    ratio Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'of the costs',
    requests_factor Nullable(Float64) CODEC(ZSTD(1)),
    tokens_per_request_factor Nullable(Float64) CODEC(ZSTD(1)),
    known_prices_factor Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'by what the mix of now gets dearer by the book''s dates',
    price_factor Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'the rest: the mix of models, meters and terms, and what is added once',
    requests_usd Nullable(Decimal(38, 12)) COMMENT 'of a day',
    tokens_per_request_usd Nullable(Decimal(38, 12)),
    known_prices_usd Nullable(Decimal(38, 12)),
    price_usd Nullable(Decimal(38, 12)),
    why String CODEC(ZSTD(1)),
    insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
        CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never',
    CONSTRAINT inserted_in_time
        CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(run)
ORDER BY (run, dims, vals, days)
TTL toDateTime(run) + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

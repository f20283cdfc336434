-- What people expect of a time, beside what the model says of it, which stays in its own tables. Kept with who, when and why.
--
-- Rows are added and never changed: 'unset' takes back what was set under the same id. Of one series and one time the last
--   one that was set counts. Few in years, so neither partitions nor a TTL.
-- ORDER BY the time: whoever asks reads them all.
CREATE TABLE IF NOT EXISTS forecast_overrides
(
    override_id String,
    action Enum8('set' = 1, 'unset' = 2),
    at DateTime64(6, 'UTC') COMMENT 'by the store''s clock',
    by String COMMENT 'who said so',
    note String COMMENT 'why',
    budget_id LowCardinality(String) COMMENT 'of a budget''s series; empty: of a value of attribution, or of everything',
    dims Array(LowCardinality(String)) COMMENT 'what the series is of; empty: of everything',
    vals Array(String) COMMENT 'the values of dims, in their order',
    measure LowCardinality(String),
    starts_at DateTime64(6, 'UTC'),
    ends_at DateTime64(6, 'UTC') COMMENT 'the first instant after',
    amount Decimal(38, 12) COMMENT 'what a person expects of all of this time, in USD',
    model_p10 Nullable(Decimal(38, 12)) COMMENT 'what the model said of the same time then; NULL: nothing, or nobody asked',
    model_p50 Nullable(Decimal(38, 12)),
    model_p90 Nullable(Decimal(38, 12))
)
ENGINE = MergeTree
ORDER BY (at, override_id)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

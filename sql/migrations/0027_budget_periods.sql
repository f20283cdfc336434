-- Where every budget stands, or stood when its period ended: the latest row of each budget, period and values.
--
-- A ReplacingMergeTree keeps the row with the highest updated_at while it merges, whenever that is: read it with FINAL,
--   or through the views budget_status and budget_history.
-- ORDER BY budget, period and values: one budget's history is one stretch, and the key is what a row replaces.
-- A rolling window has no periods: its rows are those of the hours in which its end lay.
CREATE TABLE IF NOT EXISTS budget_periods
(
    budget_id LowCardinality(String),
    period_start DateTime64(6, 'UTC'),
    vals Array(String) COMMENT 'of the budget''s per fields, in their order',
    period_key String,
    period_end DateTime64(6, 'UTC'),
    updated_at DateTime64(6, 'UTC'),
    name LowCardinality(String),
    owner LowCardinality(String),
    parent LowCardinality(String),
    per Array(LowCardinality(String)),
    amount Decimal(38, 12) COMMENT 'USD, with what was carried over',
    spent Decimal(38, 12),
    held Decimal(38, 12) COMMENT 'for usage without a price, at the stated upper bound; not part of spent',
    unpriced_events Int64,
    burn_per_hour Nullable(Decimal(38, 12)) COMMENT 'lately',
    forecast Nullable(Decimal(38, 12)) COMMENT 'what will have been used at the period''s end',
    exhausted_at Nullable(DateTime64(6, 'UTC')) COMMENT 'when nothing will be left',
    thresholds Array(Decimal(9, 3)) COMMENT 'percents of the amount that are crossed'
)
ENGINE = ReplacingMergeTree(updated_at)
PARTITION BY toYYYYMM(period_start)
ORDER BY (budget_id, period_start, vals)
TTL toDateTime(period_end) + INTERVAL 800 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

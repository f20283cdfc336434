-- Every time that a budget crossed one of its thresholds, and every time that a correction (or time, in a rolling
-- window) brought it back below. The job reads here what it has told already.
--
-- PARTITION BY the month of the period: retention drops whole months. ORDER BY budget, period and values: both the
--   job's question after a restart and "when did this budget run out, month by month" read one stretch.
CREATE TABLE IF NOT EXISTS budget_crossings
(
    budget_id LowCardinality(String),
    vals Array(String) COMMENT 'of the budget''s per fields, in their order',
    period_key String,
    period_start DateTime64(6, 'UTC'),
    period_end DateTime64(6, 'UTC'),
    kind Enum8('actual' = 1, 'forecast' = 2),
    threshold Decimal(9, 3) COMMENT 'percent of the amount',
    direction Enum8('up' = 1, 'down' = 2),
    at DateTime64(6, 'UTC') COMMENT 'when the job saw it',
    amount Decimal(38, 12) COMMENT 'USD, with what was carried over',
    spent Decimal(38, 12),
    held Decimal(38, 12) COMMENT 'for usage without a price, at the stated upper bound; not part of spent',
    unpriced_events Int64,
    forecast Nullable(Decimal(38, 12)) COMMENT 'what will have been used at the period''s end',
    late Bool COMMENT 'by entries that came for a period that was over, or by a correction'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(period_start)
ORDER BY (budget_id, period_start, vals, at)
TTL toDateTime(at) + INTERVAL 800 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

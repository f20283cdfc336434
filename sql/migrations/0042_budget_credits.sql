-- What was credited to budgets inside a period, or cut: beside the amount that their definition says.
--
-- Rows are added and never changed: what was credited in error is undone by the opposite. A period has the sum of its
--   rows. Few in years, so neither partitions nor a TTL.
-- ORDER BY the budget, then time: "who credited what, when and why" reads a few rows.
CREATE TABLE IF NOT EXISTS budget_credits
(
    budget_id LowCardinality(String),
    at DateTime64(6, 'UTC') COMMENT 'when the job took it up',
    change_id String COMMENT 'of the command',
    period_key String COMMENT 'that it counts in, as in budget_periods',
    period_start DateTime64(6, 'UTC') COMMENT 'as it was then',
    vals Array(String) COMMENT 'of the budget''s per fields, in their order',
    amount Decimal(38, 12) COMMENT 'in the currency or unit of the budget; negative: a cut',
    changed_by String,
    note String
)
ENGINE = MergeTree
ORDER BY (budget_id, at)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

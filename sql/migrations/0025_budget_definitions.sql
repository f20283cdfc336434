-- Every definition of a budget that the budgets job took up, from the file or from people while it ran. The latest one
-- of each budget counts, unless it says that the budget was removed.
--
-- ORDER BY the budget, then time: "what does this budget say, and who changed it" reads a few rows. There are some
--   thousands in years, so neither partitions nor a TTL.
CREATE TABLE IF NOT EXISTS budget_definitions
(
    budget_id LowCardinality(String),
    at DateTime64(6, 'UTC') COMMENT 'when the job took it up',
    change_id String COMMENT 'of the command, or the version of the file',
    origin Enum8('file' = 1, 'control' = 2),
    removed Bool,
    changed_by String,
    note String,
    definition String CODEC(ZSTD(1)) COMMENT 'JSON, as in budgets.yaml; empty when it was removed'
)
ENGINE = MergeTree
ORDER BY (budget_id, at)
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

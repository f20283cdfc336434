-- Every set of attribution rules that was ever used. Built like price_book_versions.
CREATE TABLE IF NOT EXISTS attribution_versions
(
    version String,
    loaded_at DateTime64(6, 'UTC'),
    description String,
    content String CODEC(ZSTD(9))
)
ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS
    index_granularity = 64,
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window = 1000;

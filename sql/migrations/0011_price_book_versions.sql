-- Every price book that was ever used, so that a receipt can be explained years later.
--
-- A ReplacingMergeTree, because each worker records the version it loaded: the first row per version is enough, and
--   the rest go away in merges. Content is a few hundred KiB of text and read by people only: ZSTD(9).
-- No TTL: what the ledger refers to must stay.
CREATE TABLE IF NOT EXISTS price_book_versions
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

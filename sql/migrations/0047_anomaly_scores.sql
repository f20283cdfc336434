-- How unusual each series was, and what it was expected to be: what plots draw as a band.
--
-- A row says what the hour up to `at` held: of every series that is watched once an hour, of the total and of those with
--   an open finding every five minutes. ReplacingMergeTree: after a restart the last rows are written again, equal.
-- PARTITION BY month, for retention. ORDER BY the series: a plot reads one series' stretch.
CREATE TABLE IF NOT EXISTS anomaly_scores
(
    dims Array(LowCardinality(String)),
    vals Array(String) CODEC(ZSTD(1)),
    at DateTime('UTC') CODEC(Delta, ZSTD(1)) COMMENT 'where it ends',
    events Float64 CODEC(ZSTD(1)),
    actual Float64 CODEC(ZSTD(1)) COMMENT 'USD; a statistic, as all of these',
    expected Float64 CODEC(ZSTD(1)),
    low Float64 CODEC(ZSTD(1)),
    high Float64 CODEC(ZSTD(1)),
    score Float32 CODEC(ZSTD(1)) COMMENT 'surprise at its end, in nats; 0: as usual'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (dims, vals, at)
TTL at + INTERVAL 35 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

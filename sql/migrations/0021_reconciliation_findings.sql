-- What reconciliation found and took back (or put back), one row per event and run: the report of double counting.
--
-- ORDER BY the event: a pass asks which of the events it sees were found before.
-- No TTL: few rows, and a taken-back event must be known for as long as its entries may be touched.
CREATE TABLE IF NOT EXISTS reconciliation_findings
(
    event_id String CODEC(ZSTD(1)),
    found_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    turn UInt64 CODEC(Delta, ZSTD(1)),
    cause LowCardinality(String) COMMENT 'booked_twice, superseded_revision, response_id or reinstated',
    revision UInt32 CODEC(T64, ZSTD(1)) COMMENT 'the highest booked one',
    source LowCardinality(String) COMMENT 'the service that sent it',
    provider LowCardinality(String),
    response_id String CODEC(ZSTD(1)),
    kept_event_id String CODEC(ZSTD(1)) COMMENT 'the event that counts: another one only where two sources reported one call',
    kept_source LowCardinality(String),
    kept_booked_at DateTime64(6, 'UTC') CODEC(ZSTD(1)) COMMENT 'when the charge that counts was booked',
    topic_id LowCardinality(String) COMMENT 'where the event''s own charge lies in Kafka that counts or would, like partition and offset',
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(ZSTD(1)),
    copies Int64 CODEC(T64, ZSTD(1)) COMMENT 'charges from this very offset that were taken back: one block inserted twice',
    copies_booked_at DateTime64(6, 'UTC') CODEC(ZSTD(1)) COMMENT 'when those were booked',
    events Int64 CODEC(T64, ZSTD(1)) COMMENT 'what the posting adds to the number of events: negative when taken back',
    entries UInt64 CODEC(T64, ZSTD(1)) COMMENT 'posted to the ledger',
    list_cost Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'sum of what was posted',
    contracted_cost Decimal(38, 12) CODEC(ZSTD(1)),
    effective_cost Decimal(38, 12) CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (event_id, found_at)
SETTINGS
    index_granularity = 1024,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

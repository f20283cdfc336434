-- What the anomalies job goes on with after a restart: what it has learned (kind 'snapshot', in parts), and which blocks
-- were counted when a minute was judged (kind 'judged', a row for each minute, written before it is judged).
--
-- ORDER BY when it was written: a start reads the end. It is of no use later; a few days are kept for whoever looks into
--   what went wrong.
CREATE TABLE IF NOT EXISTS anomaly_states
(
    kind Enum8('snapshot' = 1, 'judged' = 2),
    minute UInt32 CODEC(Delta, ZSTD(1)) COMMENT 'since 1970: the first that the snapshot has not judged, or the one judged',
    written_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    run DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when the process began that wrote it',
    format UInt16 COMMENT 'of state',
    part UInt16,
    parts UInt16,
    vector String CODEC(ZSTD(1)) COMMENT 'JSON: up to which booked_at each partition was counted; and what people said',
    known Bool COMMENT 'judged: whether all was known that the minute held',
    state String CODEC(NONE) COMMENT 'compressed already'
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(written_at)
ORDER BY (kind, minute, written_at)
TTL toDateTime(written_at) + INTERVAL 7 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

-- What the anomalies job has found: rows are only ever appended, and of a finding_id the one with the highest version
-- counts (SELECT ... ORDER BY version DESC LIMIT 1 BY finding_id, or argMax).
--
-- PARTITION BY the month in which it was found: retention drops whole months. ORDER BY when it was found: people ask for
--   the last days, and the versions of a finding lie together.
-- Figures are USD where measure is effective_cost, requests where it is events, else the unit of a driver. They are
--   statistics of what was to be expected, and no amounts that are owed.
CREATE TABLE IF NOT EXISTS anomaly_findings
(
    finding_id String CODEC(ZSTD(1)) COMMENT 'the same when it is found again after a restart',
    version UInt32 CODEC(T64, ZSTD(1)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'when this row was recorded',
    state Enum8('open' = 1, 'closed' = 2),
    kind LowCardinality(String) COMMENT 'spike, shift, ramp, drop, silence, dear_request, new_series or driver',
    direction Enum8('up' = 1, 'down' = 2),
    scale LowCardinality(String) COMMENT 'the window that told it: 5m, 1h, 7d, ramp, silence, request',
    measure LowCardinality(String) COMMENT 'effective_cost, events or the name of a driver',
    dims Array(LowCardinality(String)) COMMENT 'what the series is of; empty: of everything',
    vals Array(String) CODEC(ZSTD(1)) COMMENT 'the values of dims, in their order',
    starts_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'where what is unusual began',
    detected_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'the end of the minute that told it',
    ends_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)) COMMENT 'NULL while it is open',
    expected Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'from starts_at until at, or ends_at',
    actual Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'in the same time, with what came late and with corrections',
    low Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'within low and high nothing is unusual',
    high Decimal(38, 12) CODEC(ZSTD(1)),
    per_day Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'what it costs or saves more a day if it goes on like this',
    score Float32 CODEC(ZSTD(1)) COMMENT 'the greatest surprise so far, in nats',
    severity LowCardinality(String),
    closing LowCardinality(String) COMMENT 'over, new_normal or corrected; empty while it is open',
    group_id String CODEC(ZSTD(1)) COMMENT 'findings of one cause have one',
    silenced_by String CODEC(ZSTD(1)) COMMENT 'a planned event, or a mark; empty: people were told',
    cause String CODEC(ZSTD(1)) COMMENT 'JSON: what explains it',
    document String CODEC(ZSTD(1)) COMMENT 'JSON: the rest'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(detected_at)
ORDER BY (detected_at, finding_id, version)
TTL toDateTime(detected_at) + INTERVAL 400 DAY
SETTINGS
    non_replicated_deduplication_window = 10000,
    replicated_deduplication_window = 10000;

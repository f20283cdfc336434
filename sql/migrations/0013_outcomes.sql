-- Business value, for unit economics: what a feature or a customer brought in. One row per accepted OutcomeEvent.
--
-- ORDER BY like the ledger, whose costs it is set against; PARTITION BY the month of booked_at for the same reasons.
CREATE TABLE IF NOT EXISTS outcomes
(
    event_id String CODEC(ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    booked_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    outcome LowCardinality(String),
    quantity Decimal(38, 12) CODEC(ZSTD(1)),
    value_usd Nullable(Decimal(38, 12)) CODEC(ZSTD(1)) COMMENT 'signed; NULL when the event did not say',
    project LowCardinality(String),
    environment LowCardinality(String),
    team LowCardinality(String),
    feature LowCardinality(String),
    customer String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    trace_id String CODEC(ZSTD(1)),
    labels Map(LowCardinality(String), String),
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(booked_at)
PRIMARY KEY (toStartOfHour(occurred_at), project, feature)
ORDER BY (toStartOfHour(occurred_at), project, feature, occurred_at, event_id)
SETTINGS
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

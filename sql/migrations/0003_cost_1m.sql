-- Cost per minute, by the few dimensions that live dashboards, budgets and anomaly series watch. Nothing with millions of
-- values is in here: a minute with 1,000 customers must not make 1,000 rows.
--
-- A SummingMergeTree adds rows with the same key while it merges, whenever that is: always read it with sum() and
--   GROUP BY. All columns outside of ORDER BY are measures and are summed; every dimension is therefore in ORDER BY.
-- ORDER BY time first: every question has a time range. Then the dimensions people filter by, most used first; the
--   PRIMARY KEY in memory holds only the first of them.
-- PARTITION BY year: a block of late events may touch many months, and an insert into more than 100 partitions is
--   refused, which would stop the job for good. With the years that events may be from this can't happen.
-- The costs are sums of what has a price; unpriced_events beside them says how many events have none.
-- model is the model that was asked for, and the one that was served where the event names no other.
-- The view repeats the ledger's token for its own inserts, so a repeated block is counted once in here too.
CREATE TABLE IF NOT EXISTS cost_1m
(
    minute DateTime('UTC') CODEC(Delta, ZSTD(1)),
    project LowCardinality(String),
    team LowCardinality(String),
    environment LowCardinality(String),
    category LowCardinality(String),
    feature LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),

    entries UInt64 CODEC(T64, ZSTD(1)) COMMENT 'ledger rows',
    events Int64 CODEC(T64, ZSTD(1)) COMMENT 'charges less retractions',
    list_cost Decimal(38, 12) CODEC(ZSTD(1)),
    contracted_cost Decimal(38, 12) CODEC(ZSTD(1)),
    effective_cost Decimal(38, 12) CODEC(ZSTD(1)),
    avoided_cost Decimal(38, 12) CODEC(ZSTD(1)),
    unpriced_events Int64 CODEC(T64, ZSTD(1)) COMMENT 'events in here that the costs do not cover',
    unallocated_events Int64 CODEC(T64, ZSTD(1)) COMMENT 'events that miss a mandatory tag',
    unallocated_cost Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'their effective cost',
    cached_responses Int64 CODEC(T64, ZSTD(1)),
    errors Int64 CODEC(T64, ZSTD(1)),
    input_tokens Int64 CODEC(T64, ZSTD(1)),
    cache_read_tokens Int64 CODEC(T64, ZSTD(1)),
    cache_write_tokens Int64 CODEC(T64, ZSTD(1)) COMMENT 'of every lifetime',
    output_tokens Int64 CODEC(T64, ZSTD(1)),
    reasoning_tokens Int64 CODEC(T64, ZSTD(1)),
    gpu_seconds Decimal(38, 12) CODEC(ZSTD(1)),
    tool_calls Int64 CODEC(T64, ZSTD(1)) COMMENT 'of every kind'
)
ENGINE = SummingMergeTree
PARTITION BY toYear(minute)
PRIMARY KEY (minute, project, team)
ORDER BY (minute, project, team, environment, category, feature, provider, model)
SETTINGS
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_1m_feed TO cost_1m AS
SELECT
    toStartOfMinute(entry.occurred_at) AS minute,
    entry.project AS project,
    entry.team AS team,
    entry.environment AS environment,
    entry.category AS category,
    entry.feature AS feature,
    entry.provider AS provider,
    if(entry.model = '', entry.response_model, entry.model) AS model,

    count() AS entries,
    sum(entry.events) AS events,
    sum(ifNull(entry.list_cost, 0)) AS list_cost,
    sum(ifNull(entry.contracted_cost, 0)) AS contracted_cost,
    sum(ifNull(entry.effective_cost, 0)) AS effective_cost,
    sum(entry.avoided_cost) AS avoided_cost,
    sum(entry.unpriced) AS unpriced_events,
    sumIf(entry.events, notEmpty(entry.unallocated)) AS unallocated_events,
    sumIf(ifNull(entry.effective_cost, 0), notEmpty(entry.unallocated)) AS unallocated_cost,
    sumIf(entry.events, entry.cached_response) AS cached_responses,
    sumIf(entry.events, entry.status = 'error') AS errors,
    sum(ifNull(entry.input_tokens, 0)) AS input_tokens,
    sum(ifNull(entry.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(
        ifNull(entry.cache_write_tokens, 0) + ifNull(entry.cache_write_5m_tokens, 0)
        + ifNull(entry.cache_write_30m_tokens, 0) + ifNull(entry.cache_write_1h_tokens, 0)
        + ifNull(entry.cache_write_12h_tokens, 0)
    ) AS cache_write_tokens,
    sum(ifNull(entry.output_tokens, 0)) AS output_tokens,
    sum(ifNull(entry.reasoning_tokens, 0)) AS reasoning_tokens,
    sum(ifNull(entry.gpu_seconds, 0)) AS gpu_seconds,
    sum(
        ifNull(entry.tool_web_search, 0) + ifNull(entry.tool_web_fetch, 0) + ifNull(entry.tool_file_search, 0)
        + ifNull(entry.tool_code_execution, 0) + ifNull(entry.tool_social_search, 0)
        + ifNull(entry.tool_maps_grounding, 0) + ifNull(entry.tool_image_generation, 0)
        + ifNull(entry.tool_computer_use, 0)
    ) AS tool_calls
FROM ledger AS entry
GROUP BY
    minute, project, team, environment, category, feature, provider, model;

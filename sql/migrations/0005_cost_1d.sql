-- Cost per day (UTC) and user, beside everything cost_1h has: who spends, and the trend over years.
-- Why the engine, the order, the partitions and the token window are as they are: see cost_1m.
CREATE TABLE IF NOT EXISTS cost_1d
(
    day Date CODEC(Delta, ZSTD(1)),
    project LowCardinality(String),
    team LowCardinality(String),
    environment LowCardinality(String),
    category LowCardinality(String),
    feature LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    cost_center LowCardinality(String),
    workload_type LowCardinality(String),
    owner LowCardinality(String),
    budget_code LowCardinality(String),
    customer String CODEC(ZSTD(1)),
    source LowCardinality(String),
    price_model LowCardinality(String),
    operation LowCardinality(String),
    service_tier LowCardinality(String),
    region LowCardinality(String),
    user_id String CODEC(ZSTD(1)),

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
PARTITION BY toYear(day)
PRIMARY KEY (day, project, team)
ORDER BY (
    day, project, team, environment, category, feature, provider, model, cost_center, workload_type, owner,
    budget_code, customer, source, price_model, operation, service_tier, region, user_id
)
SETTINGS
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

CREATE MATERIALIZED VIEW IF NOT EXISTS cost_1d_feed TO cost_1d AS
SELECT
    toDate(entry.occurred_at, 'UTC') AS day,
    entry.project AS project,
    entry.team AS team,
    entry.environment AS environment,
    entry.category AS category,
    entry.feature AS feature,
    entry.provider AS provider,
    if(entry.model = '', entry.response_model, entry.model) AS model,
    entry.cost_center AS cost_center,
    entry.workload_type AS workload_type,
    entry.owner AS owner,
    entry.budget_code AS budget_code,
    entry.customer AS customer,
    entry.source AS source,
    entry.price_model AS price_model,
    entry.operation AS operation,
    entry.service_tier AS service_tier,
    entry.region AS region,
    entry.user_id AS user_id,

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
    day, project, team, environment, category, feature, provider, model, cost_center, workload_type, owner,
    budget_code, customer, source, price_model, operation, service_tier, region, user_id;

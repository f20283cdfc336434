-- The ledger: one row per charge, adjustment or retraction. Signed, append-only; a total is always the sum of entries.
--
-- PARTITION BY the month of booked_at: one insert carries one booked_at, so it makes one part and is atomic, however
--   late its events are. It is also what retention drops: whole months, without rewriting.
-- ORDER BY the hour of occurred_at first, because every question has a time range; inside an hour the rows of a
--   project, team and model lie together, which serves "team X last week" and compresses the repeated texts.
--   event_id last makes the order total, so that reading a part twice gives the same rows in the same order.
-- INDEX on booked_at: "what was booked since" (exports, reconciliation) cuts across the order by occurred_at.
-- CODECs: booked_at is constant per block and occurred_at grows slowly (Delta), Kafka offsets count up (Delta),
--   counts are small integers (T64); everything goes through ZSTD(1), which halves LZ4's size for little time.
-- LowCardinality where a deployment has at most some thousands of values; customer, user_id and ids can have millions.
-- Nullable meters: absent is not zero. Measured on chDB 26.9 (5,000 Arrow rows per insert): see sql/README.md.
-- Money is Decimal(38, 12): 26 digits of USD before the point, pico-USD after it. Unit prices have 18 places, because
--   a price per token or per second is a small fraction (0.15 USD per million is 1.5e-7) times percentages.
-- The windows remember the tokens of the last inserts, so that a repeated insert changes nothing. One line serves a
--   single server (chDB, MergeTree), the other a replicated table; each engine ignores the other's.
CREATE TABLE IF NOT EXISTS ledger
(
    event_id String CODEC(ZSTD(1)),
    revision UInt32 CODEC(T64, ZSTD(1)),
    entry_kind Enum8('charge' = 1, 'adjustment' = 2, 'retraction' = 3),
    occurred_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    booked_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    kind LowCardinality(String) COMMENT 'tokens, compute or metered',

    provider LowCardinality(String),
    model LowCardinality(String) COMMENT 'asked for',
    response_model LowCardinality(String) COMMENT 'served',
    price_model LowCardinality(String) COMMENT 'what the price book calls it; empty when nothing matched',
    operation LowCardinality(String),
    service_tier LowCardinality(String),
    region LowCardinality(String),
    conditions Map(LowCardinality(String), String) COMMENT 'the other facts that move the price, those that were given',
    category LowCardinality(String) COMMENT 'inference, infrastructure, development, ...',

    -- Attribution. An empty string is a missing tag.
    project LowCardinality(String),
    environment LowCardinality(String),
    cost_center LowCardinality(String),
    workload_type LowCardinality(String),
    team LowCardinality(String),
    owner LowCardinality(String),
    budget_code LowCardinality(String),
    feature LowCardinality(String),
    customer String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    labels Map(LowCardinality(String), String),
    unallocated Array(LowCardinality(String)) COMMENT 'names of the mandatory tags that are missing',

    -- Meters: what was used, negative in a retraction, NULL where the event did not say.
    input_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_read_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_write_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_write_5m_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_write_30m_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_write_12h_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_audio_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_image_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_video_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_read_audio_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_read_image_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    cache_read_video_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_use_input_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    output_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    reasoning_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    output_audio_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    output_image_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    output_video_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    citation_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    accepted_prediction_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    rejected_prediction_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_characters Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_audio_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    output_audio_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    output_video_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    output_images Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_pages Nullable(Int64) CODEC(T64, ZSTD(1)),
    input_annotated_pages Nullable(Int64) CODEC(T64, ZSTD(1)),
    search_units Nullable(Int64) CODEC(T64, ZSTD(1)),
    gpu_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    busy_gpu_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    cpu_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    busy_cpu_seconds Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    quantity Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),

    -- Calls of the provider's own tools, signed like meters.
    tool_web_search Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_web_fetch Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_file_search Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_code_execution Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_social_search Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_maps_grounding Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_image_generation Nullable(Int64) CODEC(T64, ZSTD(1)),
    tool_computer_use Nullable(Int64) CODEC(T64, ZSTD(1)),

    -- What the meters of compute and metered usage count.
    accelerator LowCardinality(String),
    accelerator_count Nullable(UInt32) CODEC(T64, ZSTD(1)),
    instance_type LowCardinality(String),
    purchase_option LowCardinality(String),
    sku LowCardinality(String),
    unit LowCardinality(String),

    -- Money in USD. NULL, never 0, when the price is unknown; unpriced_reason says why.
    list_cost Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    contracted_cost Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    effective_cost Nullable(Decimal(38, 12)) CODEC(ZSTD(1)),
    avoided_cost Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'what the service''s own cache saved',
    unpriced_reason LowCardinality(String),
    unpriced_detail String CODEC(ZSTD(1)),
    price_book_version LowCardinality(String),
    attribution_version LowCardinality(String),

    -- The receipt: one element per SKU in each of these arrays. line_cost is the contracted cost.
    line_sku Array(LowCardinality(String)),
    line_meter Array(LowCardinality(String)),
    line_quantity Array(Decimal(38, 12)) CODEC(ZSTD(1)),
    line_list_unit_price Array(Decimal(38, 18)) CODEC(ZSTD(1)),
    line_unit_price Array(Decimal(38, 18)) CODEC(ZSTD(1)),
    line_list_cost Array(Decimal(38, 12)) CODEC(ZSTD(1)),
    line_cost Array(Decimal(38, 12)) CODEC(ZSTD(1)),
    line_effective_cost Array(Decimal(38, 12)) CODEC(ZSTD(1)),

    response_id String CODEC(ZSTD(1)) COMMENT 'the provider''s own id of the call',
    trace_id String CODEC(ZSTD(1)),
    status LowCardinality(String),
    latency_ms Nullable(Float64) CODEC(ZSTD(1)),
    cached_response Bool,
    complexity Nullable(Float64) CODEC(ZSTD(1)),
    batchable Nullable(Bool),
    retry_of String CODEC(ZSTD(1)),
    prompt_fingerprint String CODEC(ZSTD(1)),
    unknown_fields Array(String) CODEC(ZSTD(1)),

    -- Where the message lies in Kafka. Offsets mean something only together with the topic's id.
    topic_id LowCardinality(String),
    partition UInt32 CODEC(T64, ZSTD(1)),
    offset UInt64 CODEC(Delta, ZSTD(1)),

    reason_text String CODEC(ZSTD(1)) COMMENT 'adjustments and retractions: why',

    -- What the entry adds to the number of events, and of events without a price. An adjustment that prices an event
    -- booked without a price says unpriced = -1 itself.
    events Int8 DEFAULT multiIf(entry_kind = 'charge', 1, entry_kind = 'retraction', -1, 0),
    unpriced Int8 DEFAULT if(unpriced_reason = '', 0, events),

    INDEX booked_at_range booked_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(booked_at)
PRIMARY KEY (toStartOfHour(occurred_at), project, team, model)
ORDER BY (toStartOfHour(occurred_at), project, team, model, occurred_at, event_id)
SETTINGS
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

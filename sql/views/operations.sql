-- What running the services takes, per day, team, feature, provider and model: what succeeded, failed and was tried again,
-- caches, how busy GPUs were, and how long calls took. Quantiles are within 1 %, of events as they were booked.
CREATE OR REPLACE VIEW operations AS
SELECT
    day,
    team,
    feature,
    provider,
    model,
    sum(operations_1d.effective_cost) AS effective_cost,
    sum(operations_1d.events) AS events,
    sum(operations_1d.ok_events) AS ok_events,
    sum(operations_1d.ok_cost) AS ok_cost,
    sum(operations_1d.errors) AS errors,
    sum(operations_1d.error_cost) AS error_cost,
    sum(operations_1d.cancelled) AS cancelled,
    sum(operations_1d.cancelled_cost) AS cancelled_cost,
    sum(operations_1d.retries) AS retries,
    sum(operations_1d.retry_cost) AS retry_cost,
    sum(operations_1d.cached_responses) AS cached_responses,
    sum(operations_1d.avoided_cost) AS avoided_cost,
    sum(operations_1d.billed_input_tokens) AS billed_input_tokens,
    sum(operations_1d.billed_output_tokens) AS billed_output_tokens,
    sum(operations_1d.cache_read_tokens) AS cache_read_tokens,
    sum(operations_1d.cache_saving) AS cache_saving,
    sum(operations_1d.cache_premium) AS cache_premium,
    sum(operations_1d.gpu_seconds) AS gpu_seconds,
    sum(operations_1d.known_gpu_seconds) AS known_gpu_seconds,
    sum(operations_1d.busy_gpu_seconds) AS busy_gpu_seconds,
    if(known_gpu_seconds = 0, NULL, toFloat64(busy_gpu_seconds) / toFloat64(known_gpu_seconds)) AS gpu_utilization,
    sum(operations_1d.idle_cost) AS idle_cost,
    sum(operations_1d.on_demand_cost) AS on_demand_cost,
    mapFilter((bucket, number) -> number > 0, sumMap(operations_1d.latency_buckets)) AS latency_buckets,
    arrayReduce(
        'quantilesExactWeighted(0.5, 0.95, 0.99)',
        mapKeys(latency_buckets),
        arrayMap(number -> toUInt64(number), mapValues(latency_buckets))
    ) AS latency_spread,
    if(empty(latency_buckets), NULL, exp(0.02 * latency_spread[1] - 0.01)) AS p50_latency_ms,
    if(empty(latency_buckets), NULL, exp(0.02 * latency_spread[2] - 0.01)) AS p95_latency_ms,
    if(empty(latency_buckets), NULL, exp(0.02 * latency_spread[3] - 0.01)) AS p99_latency_ms,
    mapFilter((bucket, number) -> number > 0, sumMap(operations_1d.cost_buckets)) AS cost_buckets,
    arrayReduce(
        'quantilesExactWeighted(0.5, 0.95)',
        mapKeys(cost_buckets),
        arrayMap(number -> toUInt64(number), mapValues(cost_buckets))
    ) AS spread,
    if(empty(cost_buckets), NULL, toDecimal128(exp(0.02 * spread[1] - 0.01), 12)) AS p50_cost,
    if(empty(cost_buckets), NULL, toDecimal128(exp(0.02 * spread[2] - 0.01), 12)) AS p95_cost
FROM operations_1d
GROUP BY
    day, team, feature, provider, model;

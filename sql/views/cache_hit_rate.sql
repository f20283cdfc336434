-- How much of the input came from the provider's prompt cache, and how many answers from the service's own, per day.
-- The rates are fractions; NULL where there was nothing to hit.
CREATE OR REPLACE VIEW cache_hit_rate AS
SELECT
    day,
    provider,
    model,
    feature,
    sum(operations_1d.input_tokens) AS input_tokens,
    sum(operations_1d.cache_read_tokens) AS cache_read_tokens,
    sum(operations_1d.cache_write_tokens) AS cache_write_tokens,
    if(input_tokens = 0, NULL, cache_read_tokens / input_tokens) AS token_hit_rate,
    sum(operations_1d.events) AS events,
    sum(operations_1d.cached_responses) AS cached_responses,
    if(events = 0, NULL, cached_responses / events) AS response_hit_rate,
    sum(operations_1d.avoided_cost) AS avoided_cost
FROM operations_1d
GROUP BY
    day, provider, model, feature;

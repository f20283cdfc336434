-- What caches did over time: the provider's prompt cache (tokens) and the services' own (whole responses).
SELECT
    toStartOfInterval(minute, toIntervalSecond({bucket_s:UInt32}), 'UTC') AS bucket,
    sum(input_tokens) AS all_input_tokens,
    sum(cache_read_tokens) AS read_tokens,
    sum(events) AS all_events,
    sum(cached_responses) AS own_responses
FROM cost_1m
WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')}
GROUP BY bucket
ORDER BY bucket;

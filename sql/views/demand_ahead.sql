-- What models will be asked: requests and tokens per second of each deployment, the mean of each hour that is not over. region
-- is empty where it is of all regions together; provider and model are empty where it is of all that have no forecast of their
-- own. NULL: nothing can be said, which is not 0. P90 is the figure with a margin: one hour in ten needs more. Statistics:
-- neither medians nor P90s of several models add up.
CREATE OR REPLACE VIEW demand_ahead AS
SELECT
    forecasts_now.vals[1] AS provider,
    forecasts_now.vals[2] AS model,
    if(length(forecasts_now.dims) = 3, forecasts_now.vals[3], '') AS region,
    forecasts_now.at AS hour,
    anyOrNullIf(toFloat64(forecasts_now.p50), forecasts_now.measure = 'events') / 3600 AS requests_per_second_p50,
    anyOrNullIf(toFloat64(forecasts_now.p90), forecasts_now.measure = 'events') / 3600 AS requests_per_second_p90,
    anyOrNullIf(toFloat64(forecasts_now.p50), forecasts_now.measure = 'tokens') / 3600 AS tokens_per_second_p50,
    anyOrNullIf(toFloat64(forecasts_now.p90), forecasts_now.measure = 'tokens') / 3600 AS tokens_per_second_p90,
    argMin(toString(forecasts_now.label), forecasts_now.measure) AS label,
    any(forecasts_now.known_until) AS as_of,
    any(forecasts_now.stale_since) AS stale_since,
    any(forecasts_now.stale_why) AS stale_why
FROM forecasts_now
WHERE forecasts_now.grain = 'hour' AND forecasts_now.budget_id = ''
    AND forecasts_now.measure IN ('events', 'tokens')
    AND (forecasts_now.dims = ['provider', 'model']
        OR (forecasts_now.dims = ['provider', 'model', 'region'] AND forecasts_now.vals[3] != ''))
    AND forecasts_now.at > now('UTC') - INTERVAL 1 HOUR
GROUP BY forecasts_now.dims, forecasts_now.vals, forecasts_now.at;

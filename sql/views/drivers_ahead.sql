-- What moves each cost: the mean day of the next 7, 28 and 84 days beside the mean day of the last 28. The factors multiply
-- to ratio, and the USD add up to cost_ahead - cost_lately. unit_price is USD per million tokens; per request where `per`
-- says so. NULL: it cannot be told, and why says why. Statistics, no amounts: they do not add up over series.
CREATE OR REPLACE VIEW drivers_ahead AS
SELECT
    forecast_drivers.dims AS dims,
    forecast_drivers.vals AS vals,
    forecast_drivers.days AS days,
    forecast_drivers.cost_lately AS cost_lately,
    forecast_drivers.cost_ahead AS cost_ahead,
    forecast_drivers.ratio AS ratio,
    forecast_drivers.requests_lately AS requests_lately,
    forecast_drivers.requests_ahead AS requests_ahead,
    forecast_drivers.requests_factor AS requests_factor,
    forecast_drivers.requests_usd AS requests_usd,
    forecast_drivers.tokens_lately / nullIf(forecast_drivers.requests_lately, 0) AS tokens_per_request_lately,
    forecast_drivers.tokens_ahead / nullIf(forecast_drivers.requests_ahead, 0) AS tokens_per_request_ahead,
    forecast_drivers.tokens_per_request_factor AS tokens_per_request_factor,
    forecast_drivers.tokens_per_request_usd AS tokens_per_request_usd,
    forecast_drivers.per AS per,
    accurateCastOrNull(
        multiIf(
            per = 'token', toFloat64(forecast_drivers.cost_lately) * 1e6 / nullIf(forecast_drivers.tokens_lately, 0),
            per = 'request', toFloat64(forecast_drivers.cost_lately) / nullIf(forecast_drivers.requests_lately, 0),
            NULL
        ),
        'Decimal(38, 12)'
    ) AS unit_price_lately,
    accurateCastOrNull(
        multiIf(
            per = 'token', toFloat64(forecast_drivers.cost_ahead) * 1e6 / nullIf(forecast_drivers.tokens_ahead, 0),
            per = 'request', toFloat64(forecast_drivers.cost_ahead) / nullIf(forecast_drivers.requests_ahead, 0),
            NULL
        ),
        'Decimal(38, 12)'
    ) AS unit_price_ahead,
    forecast_drivers.known_prices_factor AS known_prices_factor,
    forecast_drivers.known_prices_usd AS known_prices_usd,
    forecast_drivers.price_factor AS price_factor,
    forecast_drivers.price_usd AS price_usd,
    forecast_drivers.why AS why,
    forecast_drivers.run AS run,
    forecast_runs_now.known_until AS known_until,
    forecast_runs_now.stale_since AS stale_since,
    forecast_runs_now.stale_why AS stale_why
FROM forecast_drivers
INNER JOIN forecast_runs_now ON forecast_runs_now.grain = 'day' AND forecast_runs_now.run = forecast_drivers.run;

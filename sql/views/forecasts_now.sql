-- What is forecast now: the steps of the latest complete run of hours, and of the latest of days, in rising quantiles.
-- dims and vals are the series (both empty: everything), budget_id is that of a budget's series. Statistics, no amounts:
-- neither medians nor bands of several series or steps add up: sum_p50 is of all from the first step to the end of this
-- one.
CREATE OR REPLACE VIEW forecasts_now AS
SELECT
    toString(forecasts.grain) AS grain,
    forecasts.budget_id AS budget_id,
    forecasts.dims AS dims,
    forecasts.vals AS vals,
    forecasts.measure AS measure,
    forecasts.at AS at,
    forecasts.p10 AS p10,
    forecasts.p50 AS p50,
    forecasts.p90 AS p90,
    forecasts.sum_p10 AS sum_p10,
    forecasts.sum_p50 AS sum_p50,
    forecasts.sum_p90 AS sum_p90,
    forecast_series.label AS label,
    forecast_series.why AS why,
    forecast_series.method AS method,
    forecast_series.members AS members,
    forecast_series.zone AS zone,
    forecast_series.scored AS scored,
    forecast_series.error AS error,
    forecast_series.coverage AS coverage,
    forecasts.run AS run,
    forecast_runs_now.known_until AS known_until,
    forecast_runs_now.stale_since AS stale_since,
    forecast_runs_now.stale_why AS stale_why
FROM forecasts
INNER JOIN forecast_runs_now ON forecast_runs_now.grain = forecasts.grain AND forecast_runs_now.run = forecasts.run
INNER JOIN forecast_series
    ON forecast_series.grain = forecasts.grain AND forecast_series.run = forecasts.run
    AND forecast_series.budget_id = forecasts.budget_id AND forecast_series.dims = forecasts.dims
    AND forecast_series.vals = forecasts.vals AND forecast_series.measure = forecasts.measure
WHERE forecasts.run IN (SELECT run FROM forecast_runs_now);

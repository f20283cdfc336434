-- What is forecast now: the steps of the latest complete run of hours, and of the latest of days, in rising quantiles.
-- dims and vals are the series (both empty: everything), budget_id is that of a budget's series. Statistics, no amounts:
-- neither medians nor bands of several series or steps add up: sum_p50 is of all from the first step to the end of this one. stale_since: from when on there should have been a newer
-- one, and stale_why says why there is none.
CREATE OR REPLACE VIEW forecasts_now AS
WITH
    done AS
    (
        SELECT
            grain,
            max(forecast_runs.run) AS last,
            argMax(forecast_runs.known_until, forecast_runs.run) AS known_until,
            argMax(forecast_runs.due_at, forecast_runs.run) AS due_at
        FROM forecast_runs
        WHERE status = 'complete'
        GROUP BY grain
    ),
    since AS
    (
        SELECT
            done.grain AS grain,
            min(forecast_runs.at) AS at,
            argMax(forecast_runs.error, forecast_runs.at) AS why
        FROM done
        INNER JOIN forecast_runs ON forecast_runs.grain = done.grain
        WHERE forecast_runs.status IN ('stale', 'failed') AND forecast_runs.run > done.last
        GROUP BY grain
    )
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
    done.known_until AS known_until,
    multiIf(since.why != '', since.at, now64(6, 'UTC') > done.due_at, done.due_at, NULL) AS stale_since,
    multiIf(since.why != '', since.why, now64(6, 'UTC') > done.due_at, 'no run since', '') AS stale_why
FROM forecasts
INNER JOIN done ON done.grain = forecasts.grain AND done.last = forecasts.run
INNER JOIN forecast_series
    ON forecast_series.grain = forecasts.grain AND forecast_series.run = forecasts.run
    AND forecast_series.budget_id = forecasts.budget_id AND forecast_series.dims = forecasts.dims
    AND forecast_series.vals = forecasts.vals AND forecast_series.measure = forecasts.measure
LEFT JOIN since ON since.grain = forecasts.grain
WHERE forecasts.run IN (SELECT last FROM done);

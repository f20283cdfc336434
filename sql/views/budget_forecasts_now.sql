-- What each budget's period will come to, as the latest complete run saw it; periods that are over by now are left out. Of
-- several grains the one with the later run counts. Figures are in unit: USD, or what a quota counts. probability is that
-- of passing the amount itself, NULL where no threshold of 100 % is watched; the arrays stand side by side.
CREATE OR REPLACE VIEW budget_forecasts_now AS
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
    budget_forecasts.budget_id AS budget_id,
    budget_forecasts.vals AS vals,
    budget_forecasts.period_key AS period_key,
    budget_forecasts.period_start AS period_start,
    budget_forecasts.period_end AS period_end,
    budget_forecasts.unit AS unit,
    budget_forecasts.currency AS currency,
    budget_forecasts.rate AS rate,
    budget_forecasts.amount AS amount,
    budget_forecasts.spent AS spent,
    budget_forecasts.p10 AS p10,
    budget_forecasts.p50 AS p50,
    budget_forecasts.p90 AS p90,
    budget_forecasts.thresholds AS thresholds,
    budget_forecasts.probabilities AS probabilities,
    if(
        has(thresholds, toDecimal32(100, 3)),
        budget_forecasts.probabilities[indexOf(budget_forecasts.thresholds, toDecimal32(100, 3))],
        NULL
    ) AS probability,
    arrayMap(at -> if(at > toDateTime64(0, 6, 'UTC'), at, NULL), budget_forecasts.raised_since) AS raised_since,
    budget_forecasts.breach_p10 AS breach_p10,
    budget_forecasts.breach_p50 AS breach_p50,
    budget_forecasts.breach_p90 AS breach_p90,
    budget_forecasts.label AS label,
    budget_forecasts.why AS why,
    budget_forecasts.run AS run,
    done.known_until AS known_until,
    multiIf(since.why != '', since.at, now64(6, 'UTC') > done.due_at, done.due_at, NULL) AS stale_since,
    multiIf(since.why != '', since.why, now64(6, 'UTC') > done.due_at, 'no run since', '') AS stale_why
FROM budget_forecasts
INNER JOIN done ON done.grain = budget_forecasts.grain AND done.last = budget_forecasts.run
LEFT JOIN since ON since.grain = budget_forecasts.grain
WHERE budget_forecasts.period_end > now64(6, 'UTC')
ORDER BY budget_id, vals, run DESC
LIMIT 1 BY budget_id, vals;

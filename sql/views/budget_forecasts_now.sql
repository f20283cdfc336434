-- What each budget's period will come to, as the latest complete run saw it; periods that are over by now are left out. Of
-- several grains the one with the later run counts. Figures are in unit: USD, or what a quota counts. probability is that
-- of passing the amount itself, NULL where no threshold of 100 % is watched; the arrays stand side by side.
CREATE OR REPLACE VIEW budget_forecasts_now AS
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
    forecast_runs_now.known_until AS known_until,
    forecast_runs_now.stale_since AS stale_since,
    forecast_runs_now.stale_why AS stale_why
FROM budget_forecasts
INNER JOIN forecast_runs_now ON forecast_runs_now.grain = budget_forecasts.grain AND forecast_runs_now.run = budget_forecasts.run
WHERE budget_forecasts.period_end > now64(6, 'UTC')
ORDER BY budget_id, vals, run DESC
LIMIT 1 BY budget_id, vals;

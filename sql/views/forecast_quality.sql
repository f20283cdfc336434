-- How good forecasts were, by series and by how far ahead they were said: of the hours of the last 28 days, and of the days
-- of the last 120. error: the mean distance of p50 from what came, in units of scale (1: as good as repeating the day
-- before, of days the week before). coverage: the share within p10 and p90, which are meant to hold 80 %.
CREATE OR REPLACE VIEW forecast_quality AS
SELECT
    toString(grain) AS grain,
    budget_id,
    dims,
    vals,
    measure,
    ahead,
    sum(forecast_scores.n) AS scored,
    if(sum(forecast_scores.scaled) = 0, NULL, sum(forecast_scores.error) / sum(forecast_scores.scaled)) AS error,
    sum(forecast_scores.inside) / scored AS coverage,
    sum(forecast_scores.below) / scored AS below,
    sum(forecast_scores.above) / scored AS above,
    min(forecast_scores.at) AS since,
    max(forecast_scores.at) AS until
FROM forecast_scores FINAL
WHERE forecast_scores.at >= now() - if(forecast_scores.grain = 'hour', INTERVAL 28 DAY, INTERVAL 120 DAY)
GROUP BY grain, budget_id, dims, vals, measure, ahead
ORDER BY grain, budget_id, dims, vals, measure, ahead;

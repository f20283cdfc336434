-- The latest complete run of each grain. stale_since: from when on there should have been a newer one (NULL: it is what one
-- would have by now), and stale_why says why there is none.
CREATE OR REPLACE VIEW forecast_runs_now AS
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
    done.grain AS grain,
    done.last AS run,
    done.known_until AS known_until,
    multiIf(since.why != '', since.at, now64(6, 'UTC') > done.due_at, done.due_at, NULL) AS stale_since,
    multiIf(since.why != '', since.why, now64(6, 'UTC') > done.due_at, 'no run since', '') AS stale_why
FROM done
LEFT JOIN since ON since.grain = done.grain;

-- Every run that re-priced or re-attributed history: who, when, why, with which versions, and what it came to. The last
-- ones first with ORDER BY started_at DESC. A run without an end is under way, or was interrupted.
CREATE OR REPLACE VIEW adjustment_history AS
SELECT
    run,
    any(adjustment_runs.kind) AS kind,
    toString(max(adjustment_runs.state)) AS state,
    min(adjustment_runs.at) AS started_at,
    maxOrNullIf(adjustment_runs.at, adjustment_runs.state != 'open') AS ended_at,
    any(adjustment_runs.operator) AS operator,
    any(adjustment_runs.note) AS note,
    any(adjustment_runs.since) AS since,
    any(adjustment_runs.until) AS until,
    any(adjustment_runs.filters) AS filters,
    any(adjustment_runs.price_book_version) AS price_book_version,
    any(adjustment_runs.attribution_version) AS attribution_version,
    max(adjustment_runs.events) AS events,
    max(adjustment_runs.adjusted) AS adjusted,
    max(adjustment_runs.entries) AS entries,
    sum(adjustment_runs.list_cost) AS list_cost,
    sum(adjustment_runs.contracted_cost) AS contracted_cost,
    sum(adjustment_runs.effective_cost) AS effective_cost
FROM adjustment_runs
GROUP BY run;

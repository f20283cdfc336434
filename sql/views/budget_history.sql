-- Every period of every budget, as it ended or stands now, by what the budget looks at now: rows without a period_key
-- were taken back. The figures are in `unit`: USD, or what a quota counts; add up no two of them together.
CREATE OR REPLACE VIEW budget_history AS
SELECT
    budget_periods.budget_id AS budget_id,
    budget_periods.name AS name,
    budget_periods.vals AS vals,
    budget_periods.period_key AS period_key,
    budget_periods.period_start AS period_start,
    budget_periods.period_end AS period_end,
    budget_periods.unit AS unit,
    budget_periods.amount AS amount,
    budget_periods.credited AS credited,
    budget_periods.spent AS spent,
    budget_periods.held AS held,
    budget_periods.spent + budget_periods.held > budget_periods.amount AS overspent,
    budget_periods.unpriced_events AS unpriced_events,
    budget_periods.thresholds AS thresholds,
    budget_periods.threshold_amounts AS threshold_amounts,
    budget_periods.currency AS currency,
    budget_periods.rate AS rate,
    budget_periods.updated_at AS updated_at
FROM budget_periods FINAL
WHERE budget_periods.period_key != ''
ORDER BY period_start DESC, budget_id, vals;

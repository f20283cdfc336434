-- Where every budget stands now: the current period of each combination of values that has one. The figures are in
-- `unit`: USD, or what a quota counts; add up no two of them together. A budget in another currency is stated in
-- `currency`, at `rate` USD. The share is a fraction of the amount, NULL where nothing may be spent.
--
-- Rows from before a budget's latest definition are left out: it may have had other periods, or other fields in `per`.
-- Rows without a period_key were taken back: the budget has other periods by now.
CREATE OR REPLACE VIEW budget_status AS
SELECT
    budget_periods.budget_id AS budget_id,
    budget_periods.name AS name,
    budget_periods.owner AS owner,
    budget_periods.parent AS parent,
    budget_periods.per AS per,
    budget_periods.vals AS vals,
    budget_periods.period_key AS period_key,
    budget_periods.period_start AS period_start,
    budget_periods.period_end AS period_end,
    budget_periods.unit AS unit,
    budget_periods.amount AS amount,
    budget_periods.credited AS credited,
    budget_periods.spent AS spent,
    budget_periods.held AS held,
    budget_periods.amount - budget_periods.spent - budget_periods.held AS remaining,
    if(amount > 0, toFloat64(spent + held) / toFloat64(amount), NULL) AS used_share,
    budget_periods.unpriced_events AS unpriced_events,
    budget_periods.burn_per_hour AS burn_per_hour,
    budget_periods.forecast AS forecast,
    budget_periods.exhausted_at AS exhausted_at,
    budget_periods.thresholds AS thresholds,
    budget_periods.threshold_amounts AS threshold_amounts,
    budget_periods.currency AS currency,
    budget_periods.rate AS rate,
    budget_periods.updated_at AS updated_at
FROM budget_periods FINAL
INNER JOIN (
    SELECT
        budget_definitions.budget_id AS budget_id,
        max(budget_definitions.at) AS defined_at
    FROM budget_definitions
    WHERE NOT startsWith(budget_definitions.note, 'refused: ')
    GROUP BY budget_definitions.budget_id
    HAVING NOT argMax(budget_definitions.removed, budget_definitions.at)
) AS definitions ON budget_periods.budget_id = definitions.budget_id
WHERE
    budget_periods.period_key != ''
    AND budget_periods.period_start <= now64(6, 'UTC')
    AND budget_periods.period_end > now64(6, 'UTC')
    AND budget_periods.updated_at >= definitions.defined_at
ORDER BY budget_id, vals, period_start DESC
LIMIT 1 BY budget_id, vals;

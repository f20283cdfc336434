-- What a budget's figures are in, thresholds that are amounts, and credits inside a period.
--
-- amount, spent, held, forecast and burn_per_hour are in `unit`: USD, whatever the budget's own currency, or what a
--   quota counts. So a sum over several budgets is of one unit only: GROUP BY unit.
-- A budget in another currency is stated in `currency`, at `rate`, that of the day on which the period began.
ALTER TABLE budget_periods
    ADD COLUMN IF NOT EXISTS unit LowCardinality(String) DEFAULT 'USD'
        COMMENT 'of the figures: USD, tokens, requests or gpu_hours' AFTER per,
    ADD COLUMN IF NOT EXISTS currency LowCardinality(String) DEFAULT 'USD'
        COMMENT 'that the budget is stated in; empty: a quota' AFTER unit,
    ADD COLUMN IF NOT EXISTS rate Decimal(38, 12) DEFAULT 1 COMMENT 'USD for one of the currency' AFTER currency,
    ADD COLUMN IF NOT EXISTS credited Decimal(38, 12) DEFAULT 0
        COMMENT 'of the amount: credits less cuts, see budget_credits' AFTER amount,
    ADD COLUMN IF NOT EXISTS threshold_amounts Array(Decimal(38, 12))
        COMMENT 'amounts that are crossed, in the currency or unit of the budget' AFTER thresholds;
ALTER TABLE budget_crossings
    ADD COLUMN IF NOT EXISTS threshold_amount Decimal(38, 12) DEFAULT 0
        COMMENT 'in place of a percent: in the currency or unit of the budget; 0: threshold is meant' AFTER threshold,
    ADD COLUMN IF NOT EXISTS unit LowCardinality(String) DEFAULT 'USD'
        COMMENT 'of the figures: USD, tokens, requests or gpu_hours' AFTER at,
    ADD COLUMN IF NOT EXISTS currency LowCardinality(String) DEFAULT 'USD'
        COMMENT 'that the budget is stated in; empty: a quota' AFTER unit,
    ADD COLUMN IF NOT EXISTS rate Decimal(38, 12) DEFAULT 1 COMMENT 'USD for one of the currency' AFTER currency;

-- What an event without a price may have cost, so that budgets can hold it and nobody takes it for nothing.
--
-- held_cost: a bound in USD that was worked out when the event was booked: its own usage at the dearest rates of its model,
--   and where that is not known a long call of the model. NULL where nothing is held. Signed as costs are: a retraction takes
--   it back, and so does the adjustment that brings the price. It is no cost, and part of none.
-- held_flat: events whose model the price book does not know. Each budget says itself what it holds such an event at. What was
--   booked before there were bounds counts as these, until it has its price.
-- Both are almost always the same (NULL, 0), and compress to nothing. They stand before adjustment_run because the rows of a
--   block end before that.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS held_cost Nullable(Decimal(38, 12)) DEFAULT NULL CODEC(ZSTD(1))
    COMMENT 'USD held for an event without a price whose model is known; no cost' AFTER stated_cost;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS held_flat Int8 DEFAULT unpriced
    COMMENT 'events without a price whose model is not known' AFTER held_cost;

-- What the provider itself says that a call cost.
--
-- NULL where it does not say. Signed as meters are: negative in a retraction, and 0 in an adjustment that corrects the
--   cost alone, so that `stated_cost IS NOT NULL` finds every entry of the events that state one, and sums of them compare.
-- An event that the price book has no price for costs what is stated. Then price_model and its one line_sku are 'stated',
--   unpriced_reason is empty (it has a price), and unpriced_detail keeps why the book had none.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS stated_cost Nullable(Decimal(38, 12)) DEFAULT NULL CODEC(ZSTD(1))
    COMMENT 'USD, as the provider says; NULL: it does not; 0 in corrections of the cost alone'
    AFTER reported_tags;

-- The ledger has over a hundred columns, which makes merging its small parts dear: measured on chDB 26.9, 20 parts of
-- 5,000 rows took 1.1 s of CPU per 100,000 rows row by row (as the engine does below 131,072 rows) and 0.9 s column by
-- column; with the engine's batched queue for sorted runs (set in the embedded store's configuration) 0.7 s.
-- min_bytes_for_wide_part: a block of some 20,000 rows stays one file instead of one or more per column, which is some
--   300 files written and opened again by the first merge.
ALTER TABLE ledger MODIFY SETTING
    vertical_merge_algorithm_min_rows_to_activate = 1,
    min_bytes_for_wide_part = 67108864;

-- A check of the last hours reads the blocks of the last hours: offsets rise with time, so a granule holds a short stretch
-- of both, and these say which. Parts of before have them once they are merged, and are read whole until then.
ALTER TABLE blocks
    ADD INDEX IF NOT EXISTS fixed_at_range fixed_at TYPE minmax GRANULARITY 4;

ALTER TABLE block_receipts
    ADD INDEX IF NOT EXISTS completed_at_range completed_at TYPE minmax GRANULARITY 4;

ALTER TABLE block_receipts
    ADD INDEX IF NOT EXISTS first_offset_range first_offset TYPE minmax GRANULARITY 4;

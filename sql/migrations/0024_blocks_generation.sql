-- The consumer group's generation under which a block was fixed. Two workers may have fixed the same range, one of them
-- after it had lost the partition; which of the two is official must not depend on anybody's clock, and generations only
-- go up. Blocks that were fixed before this column existed have 0 and are told apart by fixed_at.
ALTER TABLE blocks ADD COLUMN IF NOT EXISTS generation Int32 DEFAULT 0 CODEC(T64, ZSTD(1));

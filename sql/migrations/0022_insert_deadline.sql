-- An insert may carry the instant after which the server must refuse it.
--
-- A repeated insert changes nothing only as long as its token is remembered, for the last 50,000 inserts. A worker that
-- was stopped after its commit and goes on much later would insert its block a second time. So what belongs to a block is
-- sent with a deadline, and the server compares it with its own clock when it has read the rows: the clock of whoever
-- slept does not matter, nor how long the request lay in a buffer.
-- A constraint, because it is the one check that a plain INSERT passes on every kind of server before anything is
--   written, and that lets nothing of the insert through. nowInBlock, because now() is the time at which the statement
--   arrived, perhaps long before its last row.
-- The column is 1970-01-01 (no deadline) where the insert gave none; one value per insert compresses to nothing.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
    CODEC(Delta, ZSTD(1)) COMMENT 'the insert was to be refused after this instant; 1970-01-01: never';
ALTER TABLE ledger ADD CONSTRAINT IF NOT EXISTS inserted_in_time
    CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before;

ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
    CODEC(Delta, ZSTD(1)) COMMENT 'see ledger';
ALTER TABLE quarantine ADD CONSTRAINT IF NOT EXISTS inserted_in_time
    CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before;

ALTER TABLE duplicates ADD COLUMN IF NOT EXISTS insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
    CODEC(Delta, ZSTD(1)) COMMENT 'see ledger';
ALTER TABLE duplicates ADD CONSTRAINT IF NOT EXISTS inserted_in_time
    CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before;

ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
    CODEC(Delta, ZSTD(1)) COMMENT 'see ledger';
ALTER TABLE outcomes ADD CONSTRAINT IF NOT EXISTS inserted_in_time
    CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before;

ALTER TABLE block_receipts ADD COLUMN IF NOT EXISTS insert_before DateTime64(6, 'UTC') DEFAULT toDateTime64(0, 6, 'UTC')
    CODEC(Delta, ZSTD(1)) COMMENT 'see ledger';
ALTER TABLE block_receipts ADD CONSTRAINT IF NOT EXISTS inserted_in_time
    CHECK insert_before = toDateTime64(0, 6, 'UTC') OR nowInBlock('UTC') <= insert_before;

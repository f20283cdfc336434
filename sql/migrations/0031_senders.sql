-- Corrections belong to their sender, and some sources must sign their records.
--
-- A block keeps the rules it was computed with (who may correct whom, who must sign: names and patterns, a few texts for a
--   whole deployment) and which records it refused for their sender. A redo could not find the latter out again: keys are
--   secrets, are replaced, and never lie in here. Offsets count from the block's first: signature_missing:0-4,9. Blocks
--   from before have empty texts: every source could correct every other, and nobody had to sign.
-- A refused record keeps its signature, so that it is still signed when it is sent again.
ALTER TABLE blocks ADD COLUMN IF NOT EXISTS sender_rules LowCardinality(String) DEFAULT '' CODEC(ZSTD(1));
ALTER TABLE blocks ADD COLUMN IF NOT EXISTS refusals String DEFAULT '' CODEC(ZSTD(1));
ALTER TABLE quarantine ADD COLUMN IF NOT EXISTS signature String DEFAULT '' CODEC(ZSTD(1))
    COMMENT 'raw bytes of the header spendstream-signature';

-- What a conversation, or one run of an agent, is called (OpenTelemetry's gen_ai.conversation.id): its turns and steps are
-- added up by it. Nearly every event of a chat has one and few are alike, so it is a String, not LowCardinality; empty where
-- the event does not say. Nothing is ordered by it: questions about sessions have a time range, as all have.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS session_id String DEFAULT '' CODEC(ZSTD(1))
    COMMENT 'conversation or run of an agent; empty: the event names none'
    AFTER held_flat;

-- How long compute ran by the clock, in seconds from occurred_at on. A fact of the event as accelerator_count is, not an
-- amount: it is the same in all of its entries, and no retraction has it negative. NULL where the event does not say.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS duration_s Nullable(Decimal(38, 12)) DEFAULT NULL CODEC(ZSTD(1))
    COMMENT 'compute: seconds by the clock, from occurred_at on'
    AFTER session_id;

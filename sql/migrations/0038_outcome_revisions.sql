-- Outcomes that are corrected, as usage is: a later revision of an event takes back what the earlier ones said, and says it
-- anew, perhaps of another day. So outcomes are signed entries, too: sum(quantity), sum(value_usd), sum(events).
--
-- revision and entry_kind mean what they mean in the ledger; nothing posts adjustments so far. What is there already is charges.
-- INDEX on event_id: a correction asks for what is booked of a few events; the order by time has no place for that. Parts
--   that are there already have none and are read as before, until they are merged.
-- outcome_ids knows the revision, as booked_ids does. A retraction does not make an id unknown, and is no copy of it.
ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS revision UInt32 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER labels;
ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS entry_kind Enum8('charge' = 1, 'adjustment' = 2, 'retraction' = 3) DEFAULT 'charge'
    AFTER revision;
ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS events Int8 DEFAULT if(entry_kind = 'charge', 1, -1)
    COMMENT 'what the entry adds to the number of outcomes reported' AFTER entry_kind;
ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS reason_text String DEFAULT '' CODEC(ZSTD(1))
    COMMENT 'retractions: why' AFTER events;
ALTER TABLE outcomes ADD INDEX IF NOT EXISTS outcomes_event_id event_id TYPE bloom_filter(0.001) GRANULARITY 1;

ALTER TABLE outcome_ids ADD COLUMN IF NOT EXISTS revision UInt32 DEFAULT 0 CODEC(T64, ZSTD(1)) AFTER event_id;
ALTER TABLE outcome_ids_feed MODIFY QUERY
SELECT
    event_id,
    revision,
    booked_at,
    topic_id,
    partition,
    offset
FROM outcomes
WHERE entry_kind = 'charge';

-- What re-pricing and re-attribution need to know of an entry.
--
-- reported_tags: rules fill, rename and derive tags before an event is booked. To apply other rules to history, the tags
--   must be known as the sender gave them. Only those that the rules changed are kept ('' where the sender said nothing),
--   so the map is empty, and compresses to nothing, for most events.
-- adjustment_run: which run posted an adjustment, and in which chunk of its work. A run that was interrupted finds what
--   it had posted by it.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS reported_tags Map(LowCardinality(String), String) DEFAULT map()
    COMMENT 'tags that the attribution rules changed, as the sender gave them';

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS adjustment_run LowCardinality(String) DEFAULT ''
    COMMENT 'adjustments: RUN/CHUNK that posted it; see adjustment_runs';

-- Copies of an event that came from another source than the one whose event counts: an id that two services make, a
-- mistaken retry, or somebody who took the id first so that the genuine event would pass for the copy. The message itself
-- was not kept; of a source that must sign it was, in the quarantine (event_id_taken).
-- booked_source is the source of the entry that was booked first. Copies of outcomes have their own topic.
CREATE OR REPLACE VIEW duplicates_from_others AS
SELECT
    copies.seen_at AS seen_at,
    copies.topic AS topic,
    copies.event_id AS event_id,
    copies.revision AS revision,
    copies.source AS source,
    first.owner AS booked_source,
    first.since AS booked_at,
    copies.partition AS partition,
    copies.offset AS offset
FROM duplicates AS copies
INNER JOIN
(
    SELECT 'usage.events.v1' AS topic, event_id, argMin(ledger.source, ledger.booked_at) AS owner, min(ledger.booked_at) AS since,
        groupUniqArray(ledger.source) AS sources
    FROM ledger
    WHERE entry_kind = 'charge' AND event_id IN (SELECT event_id FROM duplicates)
    GROUP BY event_id
    UNION ALL
    SELECT 'usage.outcomes.v1', event_id, argMin(outcomes.source, outcomes.booked_at), min(outcomes.booked_at),
        groupUniqArray(outcomes.source)
    FROM outcomes
    WHERE entry_kind = 'charge' AND event_id IN (SELECT event_id FROM duplicates)
    GROUP BY event_id
) AS first ON first.event_id = copies.event_id AND first.topic = copies.topic
WHERE NOT has(first.sources, copies.source);

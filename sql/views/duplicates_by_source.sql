-- What was sent or counted more than once, per day on which it was noticed and service that sent it.
--   sent_again            copies of an event (same event_id), dropped before they were booked
--   booked_twice          copies that slipped past and were taken back
--   response_id           calls that another event reports too: taken back
--   superseded_revision   revisions that were booked after a higher one: taken back
--   foreign_revision      revisions of another source's event that were booked beside it: taken back
--   reinstated            taken back before, and counted after all: negative
-- events is how many do not count, effective_cost what they would have added; what was never booked has no cost.
CREATE OR REPLACE VIEW duplicates_by_source AS
SELECT
    day,
    source,
    how,
    sum(number) AS events,
    sum(cost) AS effective_cost
FROM
(
    SELECT toDate(seen_at) AS day, source, 'sent_again' AS how, toInt64(count()) AS number, toDecimal128(0, 12) AS cost
    FROM duplicates
    GROUP BY day, source
    UNION ALL
    SELECT toDate(found_at) AS day, source, cause AS how, -sum(events) AS number, -sum(effective_cost) AS cost
    FROM reconciliation_findings
    GROUP BY day, source, how
)
GROUP BY day, source, how;

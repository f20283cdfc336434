-- Which of these events have entries that are no charges: adjustments, retractions.
SELECT DISTINCT correction.event_id AS event_id
FROM ledger AS correction
PREWHERE correction.entry_kind != 'charge'
WHERE
    correction.occurred_at >= {start:DateTime('UTC')} AND correction.occurred_at < {end:DateTime('UTC')}
    AND correction.event_id IN {ids:Array(String)};

-- What the total is made of: charges, adjustments and retractions, and the versions they were computed with.
SELECT
    toString(entry.entry_kind) AS entry_kind,
    entry.price_book_version AS price_book_version,
    entry.attribution_version AS attribution_version,
    count() AS entries,
    sum(ifNull(entry.effective_cost, 0)) AS effective_cost
FROM ledger AS entry
WHERE entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
GROUP BY entry_kind, price_book_version, attribution_version
ORDER BY entries DESC;

-- Who sends events without mandatory tags, and which tags are missing.
SELECT
    entry.source AS source,
    arrayStringConcat(arraySort(groupUniqArrayArray(entry.unallocated)), ', ') AS missing,
    sum(entry.events) AS events,
    sum(ifNull(entry.effective_cost, 0)) AS effective_cost
FROM ledger AS entry
WHERE
    entry.occurred_at >= {start:DateTime('UTC')} AND entry.occurred_at < {end:DateTime('UTC')}
    AND notEmpty(entry.unallocated)
GROUP BY source
HAVING events != 0 OR effective_cost != 0
ORDER BY effective_cost DESC, events DESC, source
LIMIT {rows:UInt32};

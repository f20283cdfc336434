-- What could not be accepted since the start of the period. Its events have no trustworthy time of their own, so this
-- goes by the time of arrival.
SELECT
    reason,
    source,
    count() AS messages,
    max(quarantined_at) AS newest
FROM quarantine
WHERE quarantined_at >= {start:DateTime('UTC')}
GROUP BY reason, source
ORDER BY messages DESC, reason, source
LIMIT {rows:UInt32};

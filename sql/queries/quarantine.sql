-- Open quarantined messages by reason.
SELECT
    reason,
    source,
    count() AS messages,
    min(quarantined_at) AS first_seen,
    max(quarantined_at) AS last_seen,
    any(detail) AS example
FROM quarantine_open
GROUP BY
    reason, source
ORDER BY messages DESC;

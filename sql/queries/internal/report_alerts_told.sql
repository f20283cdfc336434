-- Who was told of these alerts first, and when: one row per alert, episode and receiver.
SELECT
    told_alert AS alert_id,
    told_in AS episode,
    receiver,
    min(at) AS told_at
FROM alert_deliveries
ARRAY JOIN
    told AS told_alert,
    told_episode AS told_in
WHERE state = 'sent' AND at >= {start:DateTime('UTC')} AND has({alerts:Array(String)}, told_alert)
GROUP BY told_alert, told_in, receiver
ORDER BY told_at, receiver;

-- What became of the notifications in [start, until), by receiver. A failed attempt is tried again.
SELECT
    receiver,
    uniqExactIf(`key`, state = 'sent') AS sent,
    uniqExactIf((`key`, attempt), state = 'failed') AS failed,
    argMaxIf(answer, at, state = 'failed') AS problem,
    maxIf(at, state = 'sent') AS last_sent
FROM alert_deliveries
WHERE at >= {start:DateTime('UTC')} AND at < {until:DateTime64(6, 'UTC')}
GROUP BY receiver
ORDER BY failed DESC, sent DESC, receiver;

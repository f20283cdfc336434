-- Effective cost over time by one dimension: number is the 1-based place of the value in names, 0 for all others.
-- With named_only, what has no value in the dimension is left out (a GPU job or storage has no model).
SELECT
    bucket,
    indexOf({names:Array(String)}, toString(name)) AS number,
    sum(named_cost) AS cost
FROM
(
    SELECT
        toStartOfInterval(minute, toIntervalSecond({bucket_s:UInt32}), 'UTC') AS bucket,
        {dimension:Identifier} AS name,
        sum(effective_cost) AS named_cost
    FROM cost_1m
    WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')}
        AND ({dimension:Identifier} != '' OR NOT {named_only:Bool})
    GROUP BY bucket, name
)
GROUP BY bucket, number
ORDER BY bucket, number;

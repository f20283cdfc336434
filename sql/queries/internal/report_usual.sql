-- Effective cost of model calls per bucket in the same hours of the day in the weeks before, and in the period: what is
-- usual at this time of the week?
SELECT
    toStartOfInterval(minute, toIntervalSecond({bucket_s:UInt32}), 'UTC') AS bucket,
    sum(effective_cost) AS cost
FROM cost_1m
WHERE minute >= {start:DateTime('UTC')} - toIntervalWeek({weeks:UInt8}) AND minute < {end:DateTime('UTC')} AND model != ''
    AND (notEmpty({hours:Array(UInt8)}) = 0 OR has({hours:Array(UInt8)}, toHour(minute, 'UTC')))
GROUP BY bucket;

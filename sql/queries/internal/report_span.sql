-- Effective cost of model calls by one dimension, inside of a span and in the whole period: who made it expensive?
SELECT
    toString({dimension:Identifier}) AS name,
    sumIf(effective_cost, minute >= {span_start:DateTime('UTC')} AND minute < {span_end:DateTime('UTC')}) AS inside,
    sum(effective_cost) AS period
FROM cost_1m
WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')} AND model != ''
GROUP BY name
HAVING inside > 0
ORDER BY inside DESC
LIMIT 1000;

-- How much of each day's spend misses a mandatory tag. The share is a fraction of the cost, NULL on a day without cost.
CREATE OR REPLACE VIEW unallocated_share AS
SELECT
    day,
    sum(operations_1d.unallocated_cost) AS unallocated_cost,
    sum(operations_1d.effective_cost) AS effective_cost,
    if(effective_cost = 0, NULL, toFloat64(unallocated_cost) / toFloat64(effective_cost)) AS share,
    sum(operations_1d.unallocated_events) AS unallocated_events,
    sum(operations_1d.events) AS events
FROM operations_1d
GROUP BY day;

-- Everything that happened in [start, end), whole minutes.
SELECT
    sum(entries) AS entries,
    sum(events) AS events,
    sum(list_cost) AS list_cost,
    sum(contracted_cost) AS contracted_cost,
    sum(effective_cost) AS effective_cost,
    sum(avoided_cost) AS avoided_cost,
    sum(unpriced_events) AS unpriced_events,
    sum(unallocated_events) AS unallocated_events,
    sum(unallocated_cost) AS unallocated_cost,
    sum(cached_responses) AS cached_responses,
    sum(errors) AS errors,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(output_tokens) AS output_tokens
FROM cost_1m
WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')};

-- What most people ask of a month, added up beforehand within the parts of operations_1d: cost by customer, and by
-- everything but the customer. A part holds a row per day and customer beside its own, and a row per day and what a page
-- breaks down by; a question that names no other column reads these in place of the part's rows, without saying so.
-- The engine keeps them: they are made and merged with their part, and dropped with it, so no rollup of ours has to be
-- filled, compared or kept in step. Parts of before get them once, in the background; until then they are read as before.
--
-- deduplicate_merge_projection_mode: a merge adds up rows of like key, and makes these anew from what it wrote.
-- Measured (chDB 26.9), a month of 20 million ledger rows in 18 parts: of 7.3 million rows of operations_1d, 110,000 are
--   left by customer and 11,000 by the rest, 3 MB of 298. Inserts of 20,000 rows of which nearly each is one of
--   operations_1d, in turns on a machine with other work: 13.1 us of the store's CPU a ledger row without, 14.4 with them.
ALTER TABLE operations_1d MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE operations_1d ADD PROJECTION IF NOT EXISTS by_customer
(
    SELECT
        day,
        customer,
        sum(entries),
        sum(events),
        sum(list_cost),
        sum(contracted_cost),
        sum(effective_cost),
        sum(unpriced_events),
        sum(unallocated_cost)
    GROUP BY
        day, customer
);

ALTER TABLE operations_1d ADD PROJECTION IF NOT EXISTS without_customer
(
    SELECT
        day,
        project,
        team,
        environment,
        category,
        subcategory,
        feature,
        provider,
        model,
        workload_type,
        sum(entries),
        sum(events),
        sum(list_cost),
        sum(contracted_cost),
        sum(effective_cost),
        sum(avoided_cost),
        sum(unpriced_events),
        sum(unallocated_events),
        sum(unallocated_cost),
        sum(cached_responses),
        sum(errors),
        sum(input_tokens),
        sum(cache_read_tokens),
        sum(cache_write_tokens),
        sum(output_tokens),
        sum(reasoning_tokens),
        sum(gpu_seconds),
        sum(tool_calls)
    GROUP BY
        day, project, team, environment, category, subcategory, feature, provider, model, workload_type
);

ALTER TABLE operations_1d MATERIALIZE PROJECTION IF EXISTS by_customer;

ALTER TABLE operations_1d MATERIALIZE PROJECTION IF EXISTS without_customer;

-- The second level of the cost stack, and what an event's cost is compared with.
--
-- subcategory: what a cost was for within its category (tokens, GPU compute, storage, training ...), decided by the
--   attribution rules when an event is booked (cost_stack in attribution.yaml, and the mapping that ships). A changed
--   mapping moves nothing that is booked until somebody re-attributes it.
-- The four amounts are USD, signed like costs, and corrected with them. NULL: the entry has nothing of the kind.
--   on_demand_cost  what the hours of compute would have cost on demand, by our terms
--   idle_cost       the part of the effective cost of GPUs that were not busy; NULL where nobody knows what was busy
--   cache_saving    what the tokens that a prompt cache served would have cost as input, less what they cost
--   cache_premium   what the tokens that were written to it cost, less what they would have cost as input
-- Rows from before have none of the columns. What they say of themselves answers for them: the receipt has the price
--   of input, reads and writes, the list price of compute is its price on demand, the meters say what was busy. A row
--   that corrects the cost alone has no meters, so what was idle in it stays unknown; so does the saving of a call all
--   of whose input was read from a cache, for its receipt has no price of input.
-- In a receipt the lines that take back are negative: each sign has its own line of input.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS subcategory LowCardinality(String) DEFAULT multiIf(
    category = 'development',
        multiIf(
            match(workload_type, '(?i)^((pre[-_ .]?)?training|fine[-_ .]?tuning|distillation)$')
                OR match(operation, '(?i)^((pre[-_ .]?)?training([-_ .]?job)?|fine[-_ .]?tun(e|ing([-_ .]?job)?))$'),
            'training and fine-tuning',
            match(workload_type, '(?i)^(evaluation|eval|experiment(s|ation)?|research|benchmark)$'), 'experiments',
            match(environment, '(?i)^(development|dev|local|sandbox|playground)$')
                OR match(workload_type, '(?i)^(development|dev|notebook)$'),
            'development environments',
            'experiments'
        ),
    category = 'infrastructure',
        multiIf(
            kind = 'compute', 'instances',
            match(
                sku,
                '(?i)^(.*[^a-z])?(egress|ingress|transfer|bandwidth|network|traffic|cdn|nat|vpn|load[-_ .]?balancer?)'
                    || '([^a-z].*)?$'
            ),
            'network',
            match(sku, '(?i)^(.*[^a-z])?(storage|disk|volume|bucket|snapshot|backup|archive|s3|ebs|efs)([^a-z].*)?$')
                OR match(unit, '(?i)^([kmgtp]i?b|bytes?)[-_ .]?(hour|day|month|mo)s?$'),
            'storage',
            match(unit, '(?i)^(.*[^a-z])?(instance|vm|node|server|v?cpu)[-_ .]?(second|hour|day|month)s?$'),
            'instances',
            'supporting services'
        ),
    category = 'inference',
        multiIf(
            kind = 'tokens' OR match(unit, '(?i)^tokens?$'), 'tokens',
            kind = 'compute' OR match(unit, '(?i)^gpu[-_ .]?seconds?$'), 'GPU compute',
            'call overhead'
        ),
    ''
) COMMENT 'the second level of the cost stack, within category' AFTER duration_s;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS on_demand_cost Nullable(Decimal(38, 12)) DEFAULT if(
    kind = 'compute', list_cost, NULL
) CODEC(ZSTD(1)) COMMENT 'compute: what the hours would have cost on demand, by our terms' AFTER subcategory;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS idle_cost Nullable(Decimal(38, 12)) DEFAULT if(
    busy_gpu_seconds IS NULL, NULL, prorate(effective_cost, gpu_seconds - busy_gpu_seconds, gpu_seconds)
) CODEC(ZSTD(1)) COMMENT 'GPUs: effective cost of what was not busy; NULL where busy is unknown' AFTER on_demand_cost;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS cache_saving Nullable(Decimal(38, 12)) DEFAULT if(
    NOT arrayExists(meter -> startsWith(meter, 'cache_read'), line_meter), NULL,
    arraySum(
        (meter, quantity, cost) -> if(
            startsWith(meter, 'cache_read'),
            ifNull(
                prorate(
                    arrayFirst(
                        (other, m, q) -> m = 'input_tokens' AND (q < 0) = (quantity < 0),
                        line_cost, line_meter, line_quantity
                    ),
                    quantity,
                    arrayFirst(
                        (other, m, q) -> m = 'input_tokens' AND (q < 0) = (quantity < 0),
                        line_quantity, line_meter, line_quantity
                    )
                ),
                cost
            ) - cost,
            toDecimal128(0, 12)
        ),
        line_meter, line_quantity, line_cost
    )
) CODEC(ZSTD(1)) COMMENT 'prompt cache: what reads would have cost as input, less what they cost' AFTER idle_cost;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS cache_premium Nullable(Decimal(38, 12)) DEFAULT if(
    NOT arrayExists(meter -> startsWith(meter, 'cache_write'), line_meter), NULL,
    arraySum(
        (meter, quantity, cost) -> if(
            startsWith(meter, 'cache_write'),
            cost - ifNull(
                prorate(
                    arrayFirst(
                        (other, m, q) -> m = 'input_tokens' AND (q < 0) = (quantity < 0),
                        line_cost, line_meter, line_quantity
                    ),
                    quantity,
                    arrayFirst(
                        (other, m, q) -> m = 'input_tokens' AND (q < 0) = (quantity < 0),
                        line_quantity, line_meter, line_quantity
                    )
                ),
                cost
            ),
            toDecimal128(0, 12)
        ),
        line_meter, line_quantity, line_cost
    )
) CODEC(ZSTD(1)) COMMENT 'prompt cache: what writes cost, less what they would have cost as input' AFTER cache_saving;

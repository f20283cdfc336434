-- The event with which what a user or some teams cost, and what is held for them, reached an amount of USD, in the order
-- of booking.
SELECT event_id, source, occurred_at, booked_at, used
FROM
(
    SELECT
        event_id,
        source,
        occurred_at,
        booked_at,
        sum(
            ifNull(effective_cost, 0) + ifNull(held_cost, 0)
            + multiIf(
                held_flat > 0, toDecimal128({held_usd:String}, 12),
                held_flat < 0, -toDecimal128({held_usd:String}, 12),
                toDecimal128(0, 12)
            )
        ) OVER (
            ORDER BY booked_at, partition, offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS used
    FROM ledger
    WHERE
        ({user:String} = '' OR user_id = {user:String})
        AND (empty({teams:Array(String)}) OR has({teams:Array(String)}, team))
)
WHERE used >= toDecimal128({amount_usd:String}, 12)
ORDER BY booked_at, used
LIMIT 1;

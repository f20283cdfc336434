-- prorate(amount, part, whole): amount * part / whole, exact to 12 decimal places, cut off toward zero.
--
-- ClickHouse's own arithmetic of Decimal(38, 12) wraps without a word:
--   toDecimal128(16.48, 12) * toDecimal128(3400, 12) / toDecimal128(4800, 12) is -0.0239, and not 11.6733.
-- Here the three are whole numbers of 10^-12: what they come to in between fits 256 bits, whatever the three are. A result
--   that does not fit Decimal(38, 12) is an error. NULL where one of the three is NULL, or the whole is 0.
-- Give it numbers and Decimals, no Float64. A function belongs to the server, not to a database.
CREATE FUNCTION IF NOT EXISTS prorate AS (amount, part, whole) ->
    toDecimal128(
        toDecimal256(
            intDiv(
                toInt256(toDecimal256(toDecimal128(amount, 12), 12) * toDecimal256(1000000000000, 0))
                    * toInt256(toDecimal256(toDecimal128(part, 12), 12) * toDecimal256(1000000000000, 0)),
                nullIf(toInt256(toDecimal256(toDecimal128(whole, 12), 12) * toDecimal256(1000000000000, 0)), 0)
            ),
            12
        ) / toDecimal256(1000000000000, 0),
        12
    );

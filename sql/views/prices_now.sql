-- What holds now of the price book that is in use: the one that the worker has which started last, or the one before it
-- while the rows of a new one are written (a minute or two). List prices, and contracted and effective ones where they
-- differ from the one before.
CREATE OR REPLACE VIEW prices_now AS
SELECT
    version, provider, model, meter, sku, tier, conditions, context_from, context_to, scope, cost, usd_per_unit, usd, per,
    layer, source, valid_from, valid_to
FROM prices
WHERE
    version = (
        SELECT argMax(price_book_versions.version, price_book_versions.loaded_at) FROM price_book_versions
        WHERE price_book_versions.version IN (SELECT prices.version FROM prices)
    )
    AND valid_from <= now64(6, 'UTC') AND valid_to > now64(6, 'UTC')
    AND week_from <= toUnixTimestamp(now('UTC')) - toUnixTimestamp(toStartOfWeek(now('UTC'), 1, 'UTC'), 'UTC')
    AND week_to > toUnixTimestamp(now('UTC')) - toUnixTimestamp(toStartOfWeek(now('UTC'), 1, 'UTC'), 'UTC');

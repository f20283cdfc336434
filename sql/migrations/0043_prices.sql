-- Every price of every price book that was ever used, as rows: what a unit of each meter costs under which conditions, and
-- when. stream_jobs/pricing/listed.py says which row the line of an event has.
--
-- One insert per version, with the version as its token: all of a version's rows are here or none. A worker that finds none
--   writes them, beside its booking. Today's book makes about 175,000 rows, most of them OpenAI's: tiers times data residency
--   times kinds of search.
-- ORDER BY the version first, because every question is about one book; then as people ask: whose model, which meter.
-- LowCardinality: what a book names is bounded by its files. usd has 18 places, as unit prices have; it is the price of `per`
--   units as the book says it (an hour of 3,600 seconds, a million tokens), usd_per_unit the same of one, cut to 18 places.
-- No TTL: what the ledger refers to must stay.
CREATE TABLE IF NOT EXISTS prices
(
    version LowCardinality(String) COMMENT 'of the price book',
    provider LowCardinality(String),
    model LowCardinality(String) COMMENT 'what the price book calls it; an accelerator or a SKU of a rate card',
    meter LowCardinality(String) COMMENT 'as receipts name it',
    sku LowCardinality(String) COMMENT 'as receipts name it',
    tier LowCardinality(String) COMMENT 'service tier; of compute the purchase option',
    conditions Map(LowCardinality(String), String) COMMENT 'the others of the SKU; region * is any that no other row names',
    context_from UInt64 CODEC(T64, ZSTD(1)) COMMENT 'input tokens of the whole request, inclusive',
    context_to UInt64 CODEC(ZSTD(1)) COMMENT 'inclusive',
    week_from UInt32 CODEC(T64, ZSTD(1)) COMMENT 'second of the week from Monday 00:00 UTC, inclusive',
    week_to UInt32 CODEC(T64, ZSTD(1)) COMMENT 'exclusive; 604800: the end of the week',
    valid_from DateTime64(6, 'UTC') CODEC(ZSTD(1)) COMMENT '1970: from the beginning',
    valid_to DateTime64(6, 'UTC') CODEC(ZSTD(1)) COMMENT 'exclusive; 2200: until something else is written',
    scope Map(LowCardinality(String), String) COMMENT 'tags that an event must have; contracts',
    cost LowCardinality(String) COMMENT 'which cost it is the price of: list, contracted, effective',
    usd_per_unit Decimal(38, 18) CODEC(ZSTD(1)),
    usd Decimal(38, 18) CODEC(ZSTD(1)) COMMENT 'of so many units as per says: exact',
    per UInt32 CODEC(T64, ZSTD(1)),
    layer LowCardinality(String) COMMENT 'contract, rate card, correction, base',
    source LowCardinality(String) COMMENT 'where it was read'
)
ENGINE = MergeTree
ORDER BY (version, provider, model, meter, tier, context_from, valid_from)
SETTINGS
    non_replicated_deduplication_window = 1000,
    replicated_deduplication_window = 1000;

-- What receivers were told, one row before it is sent (sending) and one for what became of it (sent, failed; skipped:
-- the receiver does not want to hear of the end). Append-only; the alerts job takes up from it what each receiver knows.
--
-- told, told_episode: the alerts that the receiver hears of for the first time. So, per receiver, sum(first_told) of the
--   rows that are sent or skipped is the number of alerts that were told, and none was lost if each is in there.
-- over, over_episode: the alerts that it is told are over.
-- `key` is the same for every attempt to tell one receiver one state of a group. A sending row without an answer was being
--   sent when the job died: it is sent again as it was.
-- ORDER BY receiver and group: the job asks what each receiver was told of a group.
CREATE TABLE IF NOT EXISTS alert_deliveries
(
    receiver LowCardinality(String),
    group_id String CODEC(ZSTD(1)) COMMENT 'one run of the group, from its first alert until all of it is over',
    revision UInt32 CODEC(T64, ZSTD(1)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    `key` String CODEC(ZSTD(1)),
    state LowCardinality(String) COMMENT 'sending, sent, skipped or failed',
    action LowCardinality(String) COMMENT 'trigger, update, acknowledge or resolve',
    attempt UInt32 CODEC(T64, ZSTD(1)),
    answer String CODEC(ZSTD(1)) COMMENT 'of the receiver, or why it failed',
    alert_group String CODEC(ZSTD(1)),
    severity LowCardinality(String),
    change String CODEC(ZSTD(1)) COMMENT 'what is new, in a few words',
    open_alerts UInt64 CODEC(T64, ZSTD(1)),
    resolved_alerts UInt64 CODEC(T64, ZSTD(1)),
    money_usd Decimal(38, 12) CODEC(ZSTD(1)) COMMENT 'at stake in the group',
    first_told UInt64 CODEC(T64, ZSTD(1)) COMMENT 'alerts that the receiver hears of for the first time',
    position UInt64 CODEC(T64, ZSTD(1)) COMMENT 'of the last change in it, see alert_events',
    told Array(String) CODEC(ZSTD(1)),
    told_episode Array(UInt32) CODEC(ZSTD(1)),
    over Array(String) CODEC(ZSTD(1)),
    over_episode Array(UInt32) CODEC(ZSTD(1)),
    notification String CODEC(ZSTD(3)) COMMENT 'JSON; of sending rows'
)
ENGINE = MergeTree
ORDER BY (receiver, group_id, revision, at)
TTL toDateTime(at) + toIntervalDay(400)
SETTINGS
    index_granularity = 128,
    non_replicated_deduplication_window = 50000,
    replicated_deduplication_window = 50000;

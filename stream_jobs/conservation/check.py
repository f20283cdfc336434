"""The check: the store first, then the log."""

from datetime import UTC, datetime
from typing import Any, Final, cast

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.base.instants import as_utc
from stream_jobs.conservation.accounts import (
    Accounts,
    HourAccount,
    PartitionProgress,
    TopicLog,
    with_log,
)
from stream_jobs.conservation.log import held, topic_log
from stream_jobs.conservation.portions import finished, portions, progress_of
from stream_jobs.runtime.kafka import LogEnds
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.topics import EVENT_TOPICS
from stream_jobs.store.client import StoreClient

COLUMNS: Final = (
    *("topic", "topic_id", "partition", "hour", "received", "booked", "duplicates", "quarantined", "in_flight"),
    *("difference", "rows_missing", "rows_extra", "receipt_missing", "gap", "overlap", "unbalanced", "ttl_dropped"),
    *("taken_back", "superseded", "no_record", "before_first"),
)
MAX_BLOCKS_PROBED: Final = 20
_SHORT_BLOCKS: Final = """
SELECT first_offset, last_offset
FROM block_receipts
WHERE topic_id = {topic_id:String} AND partition = {partition:UInt32}
    AND last_offset - first_offset + 1 > received AND last_offset >= {start:UInt64}
ORDER BY completed_at DESC
LIMIT {most:UInt32}
"""
_ROWS_OF: Final = " UNION ALL ".join(
    f"SELECT offset FROM {table} WHERE topic_id = {{topic_id:String}} AND partition = {{partition:UInt32}} "
    "AND offset BETWEEN {first:UInt64} AND {last:UInt64}"
    for table in ("ledger", "outcomes", "duplicates", "quarantine")
)


def check(
    store: StoreClient,
    since: datetime,
    *,
    kafka: KafkaSettings | None,
    topic: str | None = None,
    log_ends: LogEnds | None = None,
) -> Accounts:
    """The accounts of every hour since `since`. A broker that does not answer is told, not raised; raises
    StoreUnavailableError. `log_ends` may be kept between calls."""
    since = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    finished_to = finished(store)
    hours: list[HourAccount] = []
    holes: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for portion in portions(store, since, COLUMNS, finished_to):
        hours += [_account(dict(zip(COLUMNS, row, strict=True))) for row in portion.rows]
        for place, found in portion.holes.items():
            holes.setdefault(place, []).extend(found)
    hours.sort(key=lambda hour: (hour.topic, hour.topic_id, hour.partition, hour.hour))
    accounts = Accounts(since, [hour for hour in hours if topic in (None, hour.topic)])
    progress = progress_of(finished_to | finished(store), holes)
    if kafka is None:
        accounts.kafka_error = "no Kafka address is known"
        return accounts
    logs: list[TopicLog] = []
    try:
        ends = log_ends or LogEnds(kafka)
        for name in EVENT_TOPICS if topic is None else (topic,):
            log = topic_log(kafka, ends, name)
            logs.append(log)
            _probe(store, kafka, log, accounts.hours, progress)
    except BrokerUnavailableError as error:
        accounts.kafka_error = str(error)
    accounts.hours = with_log(accounts.hours, logs, progress, store.now())
    return accounts


def _account(values: dict[str, Any]) -> HourAccount:
    numbers = {name: int(value) for name, value in values.items() if name not in ("topic", "topic_id", "hour")}
    return HourAccount(topic=values["topic"], topic_id=values["topic_id"], hour=as_utc(values["hour"]), **numbers)


def _probe(
    store: StoreClient,
    kafka: KafkaSettings,
    log: TopicLog,
    hours: list[HourAccount],
    progress: dict[tuple[str, int], PartitionProgress],
) -> None:
    """Offsets without a record are named so only if Kafka holds none there either: some of the latest are looked up."""
    for partition in {hour.partition for hour in hours if hour.topic_id == log.topic_id and hour.no_record}:
        where: dict[str, object] = {"topic_id": log.topic_id, "partition": partition}
        start = log.partitions[partition].start
        blocks = store.rows(_SHORT_BLOCKS, {**where, "start": start, "most": MAX_BLOCKS_PROBED})
        empty: set[int] = set()
        for first, last in cast(list[tuple[int, int]], blocks):
            rows = store.rows(_ROWS_OF, {**where, "first": first, "last": last})
            empty |= set(range(max(first, start), last + 1)) - {int(str(row[0])) for row in rows}
        skipped = held(kafka, log.topic, partition, empty)
        known = progress[log.topic_id, partition]
        progress[log.topic_id, partition] = PartitionProgress(known.finished_to, known.holes, len(skipped))

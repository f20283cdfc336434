"""Sending quarantined records again, as they were. What was booked meanwhile is dropped by its event_id."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from spendstream_schemas.signature import SIGNATURE_HEADER
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.base.who import user
from stream_jobs.quarantine.records import Quarantined, raw_of
from stream_jobs.runtime.kafka import librdkafka_config
from stream_jobs.runtime.kafka_refusals import reason
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

BATCH: Final = 500
FLUSH_TIMEOUT_S: Final = 30.0


@dataclass(slots=True)
class ReplayResult:
    """`cut`: records whose bytes were too large to keep whole; they can only be sent by whoever has them."""

    sent: int = 0
    cut: int = 0


def replay(store: StoreClient, kafka: KafkaSettings, records: Iterable[Quarantined], note: str) -> ReplayResult:
    """Send each record to its topic under its key, and note where it went.

    Raises BrokerUnavailableError when the broker does not take them; what was sent until then is noted.
    """
    result = ReplayResult()
    options = {"acks": "all", "enable.idempotence": True, "compression.type": "lz4"}
    producer = Producer({**librdkafka_config(kafka), **options})
    batch: list[Quarantined] = []
    for record in records:
        if not record.whole:
            result.cut += 1
            continue
        batch.append(record)
        if len(batch) == BATCH:
            result.sent += _send(store, kafka, producer, batch, note)
            batch = []
    result.sent += _send(store, kafka, producer, batch, note)
    return result


def _send(store: StoreClient, kafka: KafkaSettings, producer: Producer, batch: list[Quarantined], note: str) -> int:
    if not batch:
        return 0
    delivered: list[tuple[Quarantined, Message]] = []
    failed: list[tuple[str, KafkaError]] = []  # with the topic

    def report(record: Quarantined, error: KafkaError | None, message: Message) -> None:
        if error is None:
            delivered.append((record, message))
        else:
            failed.append((record.topic, error))

    for record in batch:
        key, raw, signature = raw_of(store, record)
        # Its own signature: it is for these bytes, this topic and this key, and ours would say that we reported it.
        headers: list[tuple[str, str | bytes | None]] = [(SIGNATURE_HEADER, signature)] if signature else []
        producer.produce(record.topic, raw, key or None, headers=headers, on_delivery=partial(report, record))
        producer.poll(0)
    unsent = producer.flush(FLUSH_TIMEOUT_S)
    if delivered:
        _note(store, delivered, note)
    if failed or unsent:
        said = f"no answer within {FLUSH_TIMEOUT_S:.0f} s"
        if failed:
            topic, error = failed[0]
            said = reason(error, kafka, operation="Write", name=topic)
        raise BrokerUnavailableError(f"{len(failed) + unsent} of {len(batch)} records were not sent: {said}")
    return len(delivered)


def _note(store: StoreClient, delivered: list[tuple[Quarantined, Message]], note: str) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "replayed_at": now,
            "topic_id": record.topic_id,
            "partition": record.partition,
            "offset": record.offset,
            "new_topic": message.topic(),
            "new_partition": message.partition(),
            "new_offset": -1 if message.offset() is None else message.offset(),
            "operator": user(),
            "note": note,
        }
        for record, message in delivered
    ]
    positions = "|".join(f"{row['topic_id']}/{row['partition']}/{row['offset']}" for row in rows)
    token = f"replay:{now.isoformat()}:{hashlib.sha256(positions.encode()).hexdigest()}"
    insert(store.client, "quarantine_replays", arrow_table("quarantine_replays", rows), token)

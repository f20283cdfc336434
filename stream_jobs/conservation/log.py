"""What Kafka knows: where the partitions begin and end, what the jobs committed, whether an offset holds a record."""

import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.conservation.accounts import PartitionLog, TopicLog
from stream_jobs.runtime.jobs import METERING, OUTCOMES
from stream_jobs.runtime.kafka import ADMIN_TIMEOUT_S, LogEnds, librdkafka_config, topic_start
from stream_jobs.runtime.kafka_refusals import TOOLS_GROUP, reason
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.retry import OUTAGE, retry_blocking
from stream_jobs.runtime.topics import USAGE_EVENTS, USAGE_OUTCOMES

JOB_OF: Final = {USAGE_EVENTS: METERING, USAGE_OUTCOMES: OUTCOMES}
MAX_PROBES: Final = 200
"""Offsets that are looked up one by one."""
_BEHIND_THE_LAST: Final = (
    KafkaError._PARTITION_EOF,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,
)
_COORDINATOR_MOVES: Final = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)


def topic_log(kafka: KafkaSettings, ends: LogEnds, topic: str) -> TopicLog:
    """Raises BrokerUnavailableError."""
    # The start first: retention may move it on, and it must not be found behind the end.
    start = topic_start(kafka, topic)
    topic_id, last = ends.of(topic)
    if topic_id != start.topic_id:
        raise BrokerUnavailableError(f"{topic} was made anew just now")
    committed = _committed(kafka, topic, last.keys())
    return TopicLog(
        topic,
        topic_id,
        {
            partition: PartitionLog(start.earliest[partition], end, committed[partition])
            for partition, end in last.items()
        },
    )


def _committed(kafka: KafkaSettings, topic: str, partitions: Collection[int]) -> dict[int, int | None]:
    group = f"spendstream-{JOB_OF[topic]}" if topic in JOB_OF else TOOLS_GROUP
    asked = [TopicPartition(topic, number) for number in partitions]
    consumer = _consumer(kafka, group)
    try:
        found = retry_blocking(
            lambda: consumer.committed(asked, timeout=ADMIN_TIMEOUT_S), None, KafkaException, OUTAGE, _patience_s
        )
        return {item.partition: item.offset if item.offset >= 0 else None for item in found}
    except KafkaException as error:
        said = reason(error, kafka, operation="Describe", kind="group", name=group)
        raise BrokerUnavailableError(f"cannot read what was committed of {topic}: {said}") from error
    finally:
        consumer.close()


def _patience_s(error: Exception) -> float:
    """While a group's coordinator moves, another broker has it in a moment."""
    return ADMIN_TIMEOUT_S if error.args[0].code() in _COORDINATOR_MOVES else 0.0


def held(kafka: KafkaSettings, topic: str, partition: int, offsets: Collection[int]) -> set[int]:
    """Which of these offsets hold a record. Raises BrokerUnavailableError."""
    consumer = _consumer(kafka, TOOLS_GROUP)
    found: set[int] = set()
    try:
        at = -1
        for offset in sorted(offsets)[:MAX_PROBES]:
            if offset < at:  # a record behind it was the next: there is none here
                continue
            consumer.assign([TopicPartition(topic, partition, offset)])
            following = _next_record(consumer, f"{topic}[{partition}] at {offset}")
            if following is None:
                break
            at = _offset(following)
            if at == offset:
                found.add(offset)
        return found
    except KafkaException as error:
        said = reason(error, kafka, operation="Read", name=topic)
        raise BrokerUnavailableError(f"cannot read {topic}[{partition}]: {said}") from error
    finally:
        consumer.close()


def first_record(kafka: KafkaSettings, topic: str, partition: int, offset: int) -> tuple[int, datetime | None] | None:
    """(offset, when it was made, if it says so) of the first record from an offset on; None if there is none. Raises
    BrokerUnavailableError."""
    consumer = _consumer(kafka, TOOLS_GROUP)
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        found = _next_record(consumer, f"{topic}[{partition}] at {offset}")
        if found is None:
            return None
        kind, millis = found.timestamp()
        made_at = None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(millis / 1000, UTC)
        return _offset(found), made_at
    except KafkaException as error:
        said = reason(error, kafka, operation="Read", name=topic)
        raise BrokerUnavailableError(f"cannot read {topic}[{partition}]: {said}") from error
    finally:
        consumer.close()


def _next_record(consumer: Consumer, place: str) -> Message | None:
    """The first record from where the consumer stands; None at the end and behind it."""
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            return message
        if error.code() in _BEHIND_THE_LAST:
            return None
        raise KafkaException(error)
    raise BrokerUnavailableError(f"cannot read {place}: no answer")


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None  # a message of the broker has one
    return offset


def _consumer(kafka: KafkaSettings, group: str) -> Consumer:
    """A consumer that neither joins its group nor commits."""
    return Consumer(
        {
            **librdkafka_config(kafka),
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )

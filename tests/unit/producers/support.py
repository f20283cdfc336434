"""What the producer's tests share: events, topics, and reading a topic back."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from spendstream import OUTCOME_TOPIC, USAGE_TOPIC, ProducerConfig
from spendstream_schemas import TokenUsage, UsageEvent

PARTITIONS = 4
WAIT_S = 20.0


def event(event_id: str, **fields: Any) -> UsageEvent:
    """A small valid event."""
    values: dict[str, Any] = {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": datetime.now(UTC),
        "source": "test-service",
        "provider": "openai",
        "model": "gpt-4o",
        "usage": TokenUsage(kind="tokens", input_tokens=1000, cache_read_tokens=10, output_tokens=300),
    }
    return UsageEvent(**(values | fields))


def config(address: str, folder: Path, **fields: Any) -> ProducerConfig:
    """A producer's settings with its spool below `folder`."""
    values: dict[str, Any] = {"bootstrap_servers": address, "source": "test-service", "spool_dir": folder}
    return ProducerConfig(**(values | fields))


def create_topics(address: str) -> None:
    """The two topics a service publishes to."""
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    topics = [NewTopic(topic, PARTITIONS, 1) for topic in (USAGE_TOPIC, OUTCOME_TOPIC)]
    for future in admin.create_topics(topics).values():
        try:
            future.result(WAIT_S)
        except KafkaException as error:
            # A producer that came back first made the broker create the topic.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def read_topic(address: str, topic: str = USAGE_TOPIC) -> list[Message]:
    """Everything the topic holds now."""
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "test-reader", "log_level": 0, "enable.partition.eof": True}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=WAIT_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        unread = set(partitions)
        found: list[Message] = []
        deadline = time.monotonic() + WAIT_S
        while unread:
            assert time.monotonic() < deadline, f"partitions {unread} of {topic} were not read to their end"
            for message in consumer.consume(1000, timeout=0.02):  # waits for so long unless so many come
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition() or 0)
                else:
                    raise AssertionError(str(error))
        return found
    finally:
        consumer.close()


def ids_on(address: str, topic: str = USAGE_TOPIC) -> list[str]:
    """The event ids on the topic, doubled ones included."""
    return [(message.key() or b"").decode() for message in read_topic(address, topic)]


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for: {what}"
        time.sleep(0.005)

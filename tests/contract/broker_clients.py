"""Plain clients for the broker contract."""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.kafka_settings import KafkaSettings
from tests.brokers import RunningBroker

TIMEOUT_S = 30.0
PARTITIONS = 4


def settings(broker: RunningBroker) -> KafkaSettings:
    return embedded_kafka(broker.address)


def make(broker: RunningBroker, *topics: str, config: Mapping[str, str] | None = None) -> None:
    made = ensure_topics(settings(broker), [TopicSpec(topic, PARTITIONS, 1, config or {}) for topic in topics])
    assert made == list(topics)


def produce(
    broker: RunningBroker,
    topic: str,
    values: Iterable[bytes],
    *,
    partition: int = 0,
    options: Mapping[str, object] | None = None,
) -> list[int]:
    """The offsets that the broker acknowledged, in the order of sending."""
    offsets: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise KafkaException(error)
        offset = message.offset()
        assert offset is not None
        offsets.append(offset)

    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, "linger.ms": 2, **(options or {})})
    for value in values:
        producer.produce(topic, value=value, key=b"key", partition=partition, on_delivery=delivered)
    assert producer.flush(TIMEOUT_S) == 0
    return offsets


def read(broker: RunningBroker, topic: str, first: int = 0, partition: int = 0) -> list[Message]:
    """One partition from an offset to its end, outside of any group."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "log_level": 0,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    messages: list[Message] = []
    deadline = time.monotonic() + TIMEOUT_S
    try:
        consumer.assign([TopicPartition(topic, partition, first)])
        while True:
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            message = consumer.poll(0.1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                return messages
            else:
                raise KafkaException(error)
    finally:
        consumer.close()

"""What the application expects of a broker's records: Tansu and Apache Kafka alike."""

import pytest
from confluent_kafka import Producer

from stream_jobs.runtime.kafka import LogEnds, topic_start
from tests.brokers import RunningBroker
from tests.contract.broker_clients import TIMEOUT_S, make, produce, read, settings

TOPIC = "usage.contract"


def test_records_come_back_as_they_were_sent(any_broker: RunningBroker) -> None:
    """Key, value, headers and time, including those that are empty or not there."""
    make(any_broker, TOPIC)
    producer = Producer({"bootstrap.servers": any_broker.address, "log_level": 0})
    sent: list[tuple[bytes | None, bytes | None, list[tuple[str, str | bytes | None]] | None]] = [
        (b"key", b"value", [("traceparent", b"00-ab"), ("empty", b""), ("none", None), ("traceparent", b"again")]),
        (b"", b"", None),
        (None, None, None),
        (b"\x00\xff", b"\xff" * 60_000, None),
    ]
    for number, (key, value, headers) in enumerate(sent):
        producer.produce(
            TOPIC, value=value, key=key, partition=0, headers=headers, timestamp=1_700_000_000_000 + number
        )
    assert producer.flush(TIMEOUT_S) == 0
    messages = read(any_broker, TOPIC)
    assert [message.offset() for message in messages] == [0, 1, 2, 3]
    assert [(message.key(), message.value(), message.headers()) for message in messages] == sent
    assert [message.timestamp()[1] for message in messages] == [1_700_000_000_000 + n for n in range(4)]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_taken_and_given_back(any_broker: RunningBroker, codec: str) -> None:
    """Offsets are acknowledged one by one and in order, whatever the batches look like."""
    make(any_broker, TOPIC)
    values = [b"value %d" % number for number in range(500)]
    assert produce(any_broker, TOPIC, values, options={"compression.type": codec}) == list(range(500))
    assert [message.value() for message in read(any_broker, TOPIC)] == values


def test_reading_starts_at_any_offset(any_broker: RunningBroker) -> None:
    """Also in the middle of a batch: a block may begin there."""
    make(any_broker, TOPIC)
    produce(any_broker, TOPIC, [b"%d" % number for number in range(300)], options={"linger.ms": 50})
    for first in (0, 1, 137, 299, 300):
        assert [message.offset() for message in read(any_broker, TOPIC, first)] == list(range(first, 300))


def test_an_idempotent_producer_is_served(any_broker: RunningBroker) -> None:
    """The SDK asks for it: in order and without copies when it has to send again."""
    make(any_broker, TOPIC)
    options = {"enable.idempotence": True, "acks": "all"}
    for _ in range(2):
        produce(any_broker, TOPIC, [b"%d" % number for number in range(200)], options=options)
    found = [int(message.value() or b"-1") for message in read(any_broker, TOPIC)]
    assert found == [*range(200), *range(200)]


def test_a_durable_broker_keeps_everything_over_a_stop_and_the_other_says_that_it_does_not(
    any_broker: RunningBroker,
) -> None:
    """Topic id and records. What a producer could not deliver meanwhile arrives at either when it is back. The
    supervisor books what a broker holds before its stop only where it must."""
    make(any_broker, TOPIC)
    producer = Producer({"bootstrap.servers": any_broker.address, "log_level": 0, "acks": "all"})
    errors: list[object] = []

    def send(value: bytes) -> None:
        producer.produce(TOPIC, value, partition=0, on_delivery=lambda error, _: errors.append(error))

    for _ in range(20):
        send(b"before")
    assert producer.flush(TIMEOUT_S) == 0
    before = topic_start(settings(any_broker), TOPIC)
    any_broker.stop()
    send(b"meanwhile")
    any_broker.start()
    if not any_broker.durable:
        make(any_broker, TOPIC)
    assert producer.flush(TIMEOUT_S) == 0
    assert set(errors) == {None}
    found = [message.value() for message in read(any_broker, TOPIC)]
    if any_broker.durable:
        assert topic_start(settings(any_broker), TOPIC) == before
        assert LogEnds(settings(any_broker)).of(TOPIC)[1][0] == 21
        assert found == [b"before"] * 20 + [b"meanwhile"]
    else:
        assert topic_start(settings(any_broker), TOPIC).topic_id != before.topic_id
        assert found == [b"meanwhile"]

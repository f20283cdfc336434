"""What a broker refuses, and with which error: Apache Kafka, and the gate that stands in front of Tansu, alike."""

import asyncio
import gzip
import struct
from collections.abc import Sequence
from typing import Final

import pytest
from confluent_kafka import KafkaException, Producer

from stream_jobs.runtime.retry import wait_until
from tests.brokers import RunningBroker
from tests.contract.broker_clients import TIMEOUT_S, make, produce, read
from tests.raw_batches import GZIP, batch, changed, records_of, send_raw, with_payload

TOPIC: Final = "usage.contract"
ONE: Final = batch([b"1"])
TWO: Final = batch([b"1", b"2"])
LAST_DELTA, ATTRIBUTES, CHECKSUM, MAGIC, RECORDS, PRODUCER_ID = 23, 21, 17, 16, 57, 43


def counted(plain: bytes, count: int) -> bytes:
    """The batch with another number of records, which its offsets fit."""
    return changed(changed(plain, RECORDS, ">i", count), LAST_DELTA, ">i", count - 1)


REFUSED: Final = {
    "a wrong checksum": (ONE[:CHECKSUM] + bytes([ONE[CHECKSUM] ^ 1]) + ONE[CHECKSUM + 1 :], 2),
    "a record that is another": (ONE[:-2] + bytes([ONE[-2] ^ 1]) + ONE[-1:], 2),
    "fewer records than it says": (counted(TWO, 5), 87),
    "more records than it says": (counted(TWO, 1), 87),
    "an end that does not fit": (changed(TWO, LAST_DELTA, ">i", 100), 87),
    "a negative number of records": (changed(TWO, RECORDS, ">i", -1), 87),
    "something behind the records": (with_payload(ONE, 0, records_of(ONE) + b"\0\0\0"), 87),
    "no records": (with_payload(ONE, 0, b"garbage" * 5), 87),
    "a record without a byte": (with_payload(ONE, 0, b"\0"), 87),
    "a record that is too short": (with_payload(ONE, 0, b"\x0a\0\0\0\1\1"), 87),
    "a record that is too short behind a good one": (with_payload(TWO, 0, records_of(ONE) + b"\0"), 87),
    "two batches": (ONE + ONE, 87),
    "no batch": (b"", 87),
    "a producer id without a sequence": (changed(ONE, PRODUCER_ID, ">q", 99), 87),
    "an old format": (changed(ONE, MAGIC, ">b", 1), 87),
    "a format to come": (changed(ONE, MAGIC, ">b", 3), 2),
    "a control batch": (changed(ONE, ATTRIBUTES, ">h", 0x20), 87),
    "a codec that is none": (changed(ONE, ATTRIBUTES, ">h", 7), -1),
    "a transaction that nobody began": (changed(ONE, ATTRIBUTES, ">h", 0x10), 53),
}


def in_use(broker: RunningBroker) -> None:
    """The topic, with a leader."""
    make(broker, TOPIC)
    produce(broker, TOPIC, [b"first"])


def test_what_is_acknowledged_is_there_and_what_is_not_is_refused_by_name(public_broker: RunningBroker) -> None:
    """Error codes as Apache Kafka has them; nothing of what is refused is to be read."""
    in_use(public_broker)
    codes = send_raw(public_broker.address, TOPIC, [raw for raw, _ in REFUSED.values()])
    assert dict(zip(REFUSED, codes, strict=True)) == {name: code for name, (_, code) in REFUSED.items()}
    assert send_raw(public_broker.address, TOPIC, [TWO]) == [0]
    assert [message.value() for message in read(public_broker, TOPIC)] == [b"first", b"1", b"2"]


def test_what_is_in_a_compressed_batch_is_looked_at_by_kafka(public_broker: RunningBroker) -> None:
    """The gate leaves that to the jobs, which quarantine what cannot be read."""
    in_use(public_broker)
    bad = [with_payload(counted(TWO, count), GZIP, gzip.compress(records_of(TWO))) for count in (1, 5)]
    expected = [87, 87] if public_broker.durable else [0, 0]
    assert send_raw(public_broker.address, TOPIC, bad) == expected


@pytest.mark.parametrize(
    ("topic", "partition", "acks", "code"),
    [
        (TOPIC, 0, 1, 0),
        (TOPIC, 999, 1, 3),
        (TOPIC, -1, 1, 3),
        ("usage.nobodys", 0, 1, 3),
        ("a/b", 0, 1, 3),
        (TOPIC, 0, 5, 21),
        (TOPIC, 0, -2, 21),
        (TOPIC, 999, -2, 3),
    ],
)
def test_where_there_is_no_place_nothing_is_acknowledged(
    public_broker: RunningBroker, topic: str, partition: int, acks: int, code: int
) -> None:
    """Partitions, topics and acknowledgements that there are not."""
    in_use(public_broker)
    assert asked(public_broker, topic, [(partition, ONE)], acks) == [code]


def test_the_topics_of_brokers_are_not_a_clients(public_broker: RunningBroker) -> None:
    """Whatever a consumer group needed them for before."""
    in_use(public_broker)
    read(public_broker, TOPIC)
    for topic in ("__consumer_offsets", "__transaction_state"):
        (code,) = asked(public_broker, topic, [(0, ONE)], 1)
        assert code in ((17, 3) if public_broker.durable else (17,))  # 3: Kafka has not made it yet


def test_a_connection_goes_on_after_a_refusal_and_answers_keep_their_turn(public_broker: RunningBroker) -> None:
    """Good and bad, sent at once on one connection; in one request nothing is lost either."""
    in_use(public_broker)
    sent = [ONE, REFUSED["a wrong checksum"][0], ONE, REFUSED["an old format"][0], ONE]
    requests = [produce_request(TOPIC, [(0, raw)], 1, number) for number, raw in enumerate(sent)]
    assert [codes for _, codes in answers(public_broker, requests)] == [[0], [2], [0], [87], [0]]
    mixed = produce_request(TOPIC, [(0, ONE), (1, REFUSED["a wrong checksum"][0])], 1, 9)
    ((_, codes),) = answers(public_broker, [mixed])
    assert codes == ([0, 2] if public_broker.durable else [7, 2])  # 7: to be sent again
    assert len(read(public_broker, TOPIC)) == (5 if public_broker.durable else 4)


def test_answers_keep_their_turn_whatever_a_client_calls_its_requests(public_broker: RunningBroker) -> None:
    """All by the same correlation id, which is a client's affair."""
    in_use(public_broker)
    sent = [ONE if number % 3 else REFUSED["a wrong checksum"][0] for number in range(60)]
    found = answers(public_broker, [produce_request(TOPIC, [(0, raw)], 1, 7) for raw in sent])
    assert [codes for _, codes in found] == [[0] if number % 3 else [2] for number in range(60)]


@pytest.mark.parametrize("aborted", [True, False])
def test_what_a_transaction_took_back_is_not_read(public_broker: RunningBroker, aborted: bool) -> None:
    """Kafka keeps it from who reads what is committed; the gate has no transactions, and says so at once."""
    in_use(public_broker)
    producer = Producer(
        {
            "bootstrap.servers": public_broker.address,
            "log_level": 0,
            "transactional.id": "one",
            "message.timeout.ms": 20_000,
        }
    )
    if not public_broker.durable:
        with pytest.raises(KafkaException) as refused:
            producer.init_transactions(TIMEOUT_S)
        assert refused.value.args[0].code() == 53
        assert refused.value.args[0].fatal()
        return
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    for number in range(10):
        producer.produce(TOPIC, b"%d" % number, partition=0)
    assert producer.flush(TIMEOUT_S) == 0
    if aborted:
        producer.abort_transaction(TIMEOUT_S)
    else:
        producer.commit_transaction(TIMEOUT_S)
    assert wait_until(lambda: len(read(public_broker, TOPIC)) == (1 if aborted else 11), TIMEOUT_S)


def produce_request(topic: str, batches: Sequence[tuple[int, bytes]], acks: int, correlation_id: int) -> bytes:
    """Version 3, with its size."""
    name = topic.encode()
    body = struct.pack(">hhih", 0, 3, correlation_id, -1) + struct.pack(">hhii", -1, acks, 10_000, 1)
    body += struct.pack(">h", len(name)) + name + struct.pack(">i", len(batches))
    body += b"".join(struct.pack(">ii", partition, len(raw)) + raw for partition, raw in batches)
    return struct.pack(">i", len(body)) + body


def answers(broker: RunningBroker, requests: Sequence[bytes]) -> list[tuple[int, list[int]]]:
    """Correlation id and error codes of each, of requests to one topic that are sent at once."""

    async def ask() -> list[tuple[int, list[int]]]:
        host, _, port = broker.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"".join(requests))
        found = []
        for _ in requests:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            answer = await reader.readexactly(size)
            correlation_id, _, length = struct.unpack_from(">iih", answer)
            (count,) = struct.unpack_from(">i", answer, 10 + length)
            each = [struct.unpack_from(">ihqq", answer, 14 + length + 22 * number) for number in range(count)]
            found.append((correlation_id, [code for _, code, _, _ in sorted(each)]))
        writer.transport.abort()
        return found

    async def in_time() -> list[tuple[int, list[int]]]:
        return await asyncio.wait_for(ask(), TIMEOUT_S)

    found = asyncio.run(in_time())
    assert [correlation_id for correlation_id, _ in found] == [
        struct.unpack_from(">i", request, 8)[0] for request in requests
    ]
    return found


def asked(broker: RunningBroker, topic: str, batches: Sequence[tuple[int, bytes]], acks: int) -> list[int]:
    """The error codes of one request."""
    ((_, codes),) = answers(broker, [produce_request(topic, batches, acks, 1)])
    return codes

"""Idempotent producers that raise their epoch by themselves (KIP-360): Apache Kafka, and the gate in front of Tansu."""

import gzip
import os
import random
import signal
import socket
import struct
from collections import defaultdict
from contextlib import closing
from typing import Final

import pytest
from confluent_kafka import KafkaError, Message, Producer

from stream_jobs.runtime.retry import wait_until
from tests.brokers import RunningBroker
from tests.contract.broker_clients import TIMEOUT_S, read
from tests.contract.test_broker_refusals import TOPIC, asked, in_use
from tests.raw_batches import GZIP, batch, changed, records_of, with_payload
from tests.unit.embedded.test_api_versions import answer, request
from tests.unit.embedded.test_producer_id_versions import INIT_PRODUCER_ID, given_id
from tests.unit.embedded.test_producer_id_versions import asked as init_request

PRODUCER_ID, EPOCH, SEQUENCE = 43, 51, 53
OUT_OF_ORDER, DUPLICATE, OUTDATED = 45, 46, 47
STRANGE_ID: Final = 987_654


def numbered(value: bytes, producer_id: int, epoch: int, sequence: int) -> bytes:
    made = changed(batch([value]), PRODUCER_ID, ">q", producer_id)
    return changed(changed(made, EPOCH, ">h", epoch), SEQUENCE, ">i", sequence)


def new_id(broker: RunningBroker) -> int:
    host, _, port = broker.address.rpartition(":")
    found = (-1, -1, -1)

    def given() -> bool:  # Kafka begins with an error that clients wait for
        nonlocal found
        with closing(socket.create_connection((host, int(port)), timeout=TIMEOUT_S)) as client:
            client.sendall(init_request(4))
            found = given_id(answer(client), 4)
        return found[0] == 0

    assert wait_until(given, TIMEOUT_S)
    return found[1]


class Told:
    """What a broker says to batches, in order; `stored` is what has to be there then."""

    def __init__(self, broker: RunningBroker) -> None:
        self._broker = broker
        self._sent = 0
        self.stored: dict[int, list[bytes]] = defaultdict(list)

    def one(self, producer_id: int, epoch: int, sequence: int, partition: int = 0) -> int:
        """The error code; 0 where it is known already, which Tansu says by a code that clients take for success."""
        self._sent += 1
        value = b"%d" % self._sent
        (code,) = asked(self._broker, TOPIC, [(partition, numbered(value, producer_id, epoch, sequence))], -1)
        return 0 if code == DUPLICATE and not self._broker.durable else code

    def new(self, producer_id: int, epoch: int, sequence: int, partition: int = 0) -> int:
        """The same, of one that is to be stored."""
        code = self.one(producer_id, epoch, sequence, partition)
        self.stored[partition].append(b"%d" % self._sent)
        return code

    def check(self, first: int = 0) -> None:
        for partition, values in self.stored.items():
            found = [message.value() for message in read(self._broker, TOPIC, partition=partition)]
            assert found[first if partition == 0 else 0 :] == values


def test_a_raised_epoch_goes_on_from_sequence_0(public_broker: RunningBroker) -> None:
    """As another producer would; what it sends again is known, gaps are seen, and who comes late under the epoch before
    is refused. In partitions in which it has not begun anew the epoch before goes on."""
    in_use(public_broker)
    producer_id = new_id(public_broker)
    told = Told(public_broker)
    assert [told.new(producer_id, 0, 0), told.new(producer_id, 0, 1), told.new(producer_id, 0, 0, 1)] == [0, 0, 0]
    assert told.new(producer_id, 1, 0) == 0
    assert told.one(producer_id, 1, 0) == 0
    assert told.new(producer_id, 1, 1) == 0
    assert told.one(producer_id, 1, 9) == OUT_OF_ORDER
    assert told.one(producer_id, 0, 2) == OUTDATED
    assert told.new(producer_id, 0, 1, 1) == 0
    assert [told.new(producer_id, 2, 0), told.new(producer_id, 2, 1), told.new(producer_id, 2, 0, 1)] == [0, 0, 0]
    assert told.one(producer_id, 1, 2) == OUTDATED
    assert told.one(producer_id, 0, 2, 1) == OUTDATED
    other = new_id(public_broker)
    assert [told.new(other, 0, 0), told.new(other, 0, 1), told.new(producer_id, 2, 2)] == [0, 0, 0]
    told.check(first=1)


def test_an_epoch_of_an_id_that_is_not_this_brokers_begins_as_well(public_broker: RunningBroker) -> None:
    """As of a producer that was there before a replacement."""
    in_use(public_broker)
    told = Told(public_broker)
    assert [told.new(STRANGE_ID, 5, 0), told.new(STRANGE_ID, 5, 1), told.one(STRANGE_ID, 5, 1)] == [0, 0, 0]
    told.check(first=1)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_who_asks_for_an_id_and_names_its_own_gets_another(public_broker: RunningBroker, version: int) -> None:
    """As the form allows from version 3 on."""
    own = new_id(public_broker)
    body = b"\0\0" + struct.pack(">iqhb", 30_000, own, 0, 0)
    host, _, port = public_broker.address.rpartition(":")
    with closing(socket.create_connection((host, int(port)), timeout=TIMEOUT_S)) as client:
        client.sendall(request(version, 5, body, api=INIT_PRODUCER_ID))
        error, other, epoch = given_id(answer(client), version)
    assert (error, epoch) == (0, 0)
    assert other > own


def test_in_one_request_and_compressed(public_broker: RunningBroker) -> None:
    """Each partition's batch gets its new head, and a checksum that is right; what is in it stays as it is."""
    in_use(public_broker)
    plain = numbered(b"plain", STRANGE_ID, 1, 0)
    packed = with_payload(numbered(b"x" * 1000, STRANGE_ID, 1, 0), GZIP, gzip.compress(records_of(plain)))
    assert asked(public_broker, TOPIC, [(1, plain), (2, packed), (3, batch([b"none"]))], -1) == [0, 0, 0]
    found = [[message.value() for message in read(public_broker, TOPIC, partition=number)] for number in (1, 2, 3)]
    assert found == [[b"plain"], [b"plain"], [b"none"]]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_producers_do_it_is_stored_once_and_in_order(public_broker: RunningBroker, seed: int) -> None:
    """Several producers in several partitions: the next one, again, a gap, the next epoch, the one before."""
    in_use(public_broker)
    chance = random.Random(seed)
    told = Told(public_broker)
    ids = [new_id(public_broker) for _ in range(3)]
    at: dict[tuple[int, int], tuple[int, int]] = {}
    for _ in range(120):
        producer_id, partition = chance.choice(ids), chance.choice([0, 1])
        if (producer_id, partition) not in at:
            assert told.new(producer_id, 0, 0, partition) == 0
            at[producer_id, partition] = 0, 0
            continue
        epoch, last = at[producer_id, partition]
        match chance.choice(["next", "next", "next", "again", "gap", "raise", "before"]):
            case "next":
                assert told.new(producer_id, epoch, last + 1, partition) == 0
                at[producer_id, partition] = epoch, last + 1
            case "again":
                assert told.one(producer_id, epoch, last, partition) == 0
            case "gap":
                assert told.one(producer_id, epoch, last + 7, partition) == OUT_OF_ORDER
            case "raise":
                assert told.new(producer_id, epoch + 1, 0, partition) == 0
                at[producer_id, partition] = epoch + 1, 0
            case "before" if epoch:
                assert told.one(producer_id, epoch - 1, chance.choice([0, last + 1]), partition) == OUTDATED
    told.check(first=1)


@pytest.mark.slow
def test_a_producer_goes_on_after_messages_have_timed_out(public_broker: RunningBroker) -> None:
    """librdkafka, under way when the broker stood still: it says that two did not arrive, and all later ones do."""
    in_use(public_broker)
    told: dict[bytes | None, int] = {}

    def delivered(error: KafkaError | None, message: Message) -> None:
        told[message.value()] = 0 if error is None else error.code()

    options = {"enable.idempotence": True, "message.timeout.ms": 2_000, "socket.timeout.ms": 1_000, "linger.ms": 0}
    producer = Producer({"bootstrap.servers": public_broker.address, "log_level": 0, **options})

    def send(*values: bytes) -> None:
        for value in values:
            producer.produce(TOPIC, value, partition=0, on_delivery=delivered)
        assert producer.flush(TIMEOUT_S) == 0

    send(b"1")
    pid = public_broker.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        send(b"2", b"3")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert told == {b"1": 0, b"2": KafkaError._MSG_TIMED_OUT, b"3": KafkaError._MSG_TIMED_OUT}
    wait_until(lambda: bool(read(public_broker, TOPIC)), TIMEOUT_S)
    later = [b"%d" % number for number in range(4, 40)]
    for value in later:
        send(value)
    assert {told[value] for value in later} == {0}
    found = [message.value() for message in read(public_broker, TOPIC)]
    assert [value for value in found if value in later] == later
    assert all(found.count(value) <= 1 for value in (b"1", b"2", b"3"))

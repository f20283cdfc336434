"""Requests to produce that want no answer (acks=0): Apache Kafka gives none, nor does the gate in front of Tansu."""

import socket
import struct
from contextlib import closing
from typing import Final

from stream_jobs.embedded.questions import MAX_AWAITED
from stream_jobs.runtime.retry import wait_until
from tests.brokers import RunningBroker
from tests.contract.broker_clients import TIMEOUT_S, read
from tests.contract.test_broker_refusals import REFUSED, TOPIC, in_use, produce_request
from tests.raw_batches import batch
from tests.unit.embedded.test_api_versions import answer, closed

MANY: Final = 3 * MAX_AWAITED


def connect(broker: RunningBroker) -> socket.socket:
    host, _, port = broker.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S)


def one(number: int, acks: int) -> bytes:
    return produce_request(TOPIC, [(0, batch([b"%d" % number]))], acks, number)


def stored(broker: RunningBroker) -> list[bytes | None]:
    """Behind the first, which made the topic's leader."""
    return [message.value() for message in read(broker, TOPIC)][1:]


def numbers(count: int) -> list[bytes | None]:
    return [b"%d" % number for number in range(count)]


def test_only_who_waits_for_an_answer_gets_one(public_broker: RunningBroker) -> None:
    """All of it sent at once on one connection: the answers come in turn, and everything is stored in its order. A
    client that gets an answer to what it does not wait for closes the connection, and loses what is under way."""
    in_use(public_broker)
    waiting = [number for number in range(60) if number % 4 == 3]
    with closing(connect(public_broker)) as client:
        client.sendall(b"".join(one(number, -1 if number in waiting else 0) for number in range(60)))
        assert [struct.unpack_from(">i", answer(client))[0] for _ in waiting] == waiting
        client.sendall(one(60, 0) + one(61, 1))
        assert struct.unpack_from(">i", answer(client)) == (61,)
    assert stored(public_broker) == numbers(62)


def test_who_waits_for_no_answer_may_send_without_end(public_broker: RunningBroker) -> None:
    """More than the gate waits for answers at a time; the next answer is that to the first who wants one."""
    in_use(public_broker)
    with closing(connect(public_broker)) as client:
        client.sendall(b"".join(one(number, 0) for number in range(MANY)) + one(MANY, 1))
        assert struct.unpack_from(">i", answer(client)) == (MANY,)
    assert stored(public_broker) == numbers(MANY + 1)


def test_what_is_sent_before_a_client_goes_away_is_stored(public_broker: RunningBroker) -> None:
    """It has nothing to wait for."""
    in_use(public_broker)
    with closing(connect(public_broker)) as client:
        client.sendall(b"".join(one(number, 0) for number in range(300)))
    assert wait_until(lambda: stored(public_broker) == numbers(300), TIMEOUT_S)


def test_a_refusal_that_nobody_waits_for_closes_the_connection(public_broker: RunningBroker) -> None:
    """It is all that a client can be told. What came before it is stored."""
    in_use(public_broker)
    bad = produce_request(TOPIC, [(0, REFUSED["a wrong checksum"][0])], 0, 9)
    with closing(connect(public_broker)) as client:
        client.sendall(b"".join(one(number, 0) for number in range(20)) + bad)
        assert closed(client)
    assert wait_until(lambda: stored(public_broker) == numbers(20), TIMEOUT_S)

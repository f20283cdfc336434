"""Which topics a broker makes when it is asked: Apache Kafka, and the gate in front of Tansu, alike."""

import socket
import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from stream_jobs.embedded.fields import Reader, count, text
from stream_jobs.runtime.retry import wait_until
from tests.brokers import RunningBroker
from tests.contract.broker_clients import TIMEOUT_S, make, produce, read
from tests.unit.embedded.test_api_versions import answer, request

CREATE_TOPICS: Final = 19
TOPIC: Final = "usage.contract"
VERSIONS: Final = range(2, 8)  # all that Kafka 4 knows


@dataclass(frozen=True)
class New:
    name: bytes
    partitions: int = 1
    replicas: int = 1
    assigned: Sequence[tuple[int, Sequence[int]]] = field(default_factory=tuple)


def asked(topics: Sequence[New], version: int, *, only_checked: bool = False) -> bytes:
    """With its size; every topic has a setting."""
    flexible = version >= 5
    tags = b"\0" if flexible else b""
    body = tags + count(len(topics), flexible=flexible)
    for topic in topics:
        body += text(topic.name, flexible=flexible) + struct.pack(">ih", topic.partitions, topic.replicas)
        body += count(len(topic.assigned), flexible=flexible)
        for number, brokers in topic.assigned:
            body += struct.pack(">i", number) + count(len(brokers), flexible=flexible)
            body += struct.pack(f">{len(brokers)}i", *brokers) + tags
        body += count(1, flexible=flexible) + text(b"retention.ms", flexible=flexible)
        body += text(b"86400000", flexible=flexible) + tags + tags
    return request(version, 5, body + struct.pack(">i?", 10_000, only_checked) + tags, api=CREATE_TOPICS)


def codes(given: bytes, version: int) -> dict[bytes, int]:
    """By name; the answer is read to its end."""
    flexible = version >= 5
    reader = Reader(given, 4, flexible=flexible)
    reader.tags()
    reader.skip(4)  # throttle time

    def string() -> bytes:
        length = reader.length()
        return given[reader.at : reader.skip(length)]

    found = {}
    for _ in range(reader.count()):
        name = string()
        reader.skip(16 if version >= 7 else 0)
        found[name] = reader.number(">h", 2)
        assert (string() == b"") == (not found[name])  # the reason
        if flexible:
            reader.skip(6)  # partitions and replicas
            for _ in range(reader.count()):
                string(), string(), reader.skip(3)  # name, value; read only, source, sensitive
                reader.tags()
            reader.tags()
    reader.tags()
    assert reader.at == len(given)
    return found


def asked_for(broker: RunningBroker, topics: Sequence[New], version: int, *, only_checked: bool = False) -> list[int]:
    """In the order of what was asked for."""
    host, _, port = broker.address.rpartition(":")
    with closing(socket.create_connection((host, int(port)), timeout=TIMEOUT_S)) as client:
        client.sendall(asked(topics, version, only_checked=only_checked))
        given = answer(client)
        client.sendall(request(0, 6))
        assert answer(client)[:4] == struct.pack(">i", 6)  # the connection goes on, and nothing is out of turn
    found = codes(given, version)
    assert given[:4] == struct.pack(">i", 5)
    return [found[name] for name in dict.fromkeys(topic.name for topic in topics)]


def partitions(broker: RunningBroker, made: int = 1) -> dict[str, int]:
    """Of each topic, once there are as many as were made: a broker may say so before it names them."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})

    def known() -> dict[str, int]:
        found = admin.list_topics(timeout=TIMEOUT_S).topics
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")}

    wait_until(lambda: len(known()) >= made, TIMEOUT_S)
    return known()


REFUSED: Final = {
    "no partitions": (New(b"usage.a", 0), 37),
    "fewer than none": (New(b"usage.b", -5), 37),
    "no partitions, on more brokers than there are": (New(b"usage.c", 0, 3), 37),
    "more brokers than there are": (New(b"usage.d", 1, 3), 38),
    "no broker": (New(b"usage.e", 1, 0), 38),
    "no broker and no partitions": (New(b"usage.f", 0, 0), 38),
    "fewer brokers than none": (New(b"usage.g", 1, -2), 38),
    "no name": (New(b""), 17),
    "a folder": (New(b"."), 17),
    "a folder above": (New(b".."), 17),
    "a path": (New(b"../../usage"), 17),
    "a name that is too long": (New(b"u" * 250), 17),
    "a blank": (New(b"usage contract"), 17),
    "a line": (New(b"usage\n"), 17),
    "a letter that is not ASCII": (New("größe".encode()), 17),
    "a name and a number that are none": (New(b"a/b", 0), 17),
    "partitions counted and assigned": (New(b"usage.h", 1, -1, [(0, [1])]), 42),
    "replicas counted and assigned": (New(b"usage.i", -1, 1, [(0, [1])]), 42),
    "a partition left out": (New(b"usage.j", -1, -1, [(5, [1])]), 39),
    "a partition on no broker": (New(b"usage.k", -1, -1, [(0, [])]), 39),
    "a partition on a broker twice": (New(b"usage.l", -1, -1, [(0, [1, 1])]), 39),
    "a partition twice": (New(b"usage.m", -1, -1, [(0, [1]), (0, [1])]), 39),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_no_topic_is_refused_by_name_and_the_others_are_made(
    public_broker: RunningBroker, version: int
) -> None:
    """In the form of each version, with Apache Kafka's error codes."""
    good = {b"usage." + b"u" * 243: 1, b"usage.Two-2_x": 2}
    bad = {topic.name: code for topic, code in REFUSED.values()}
    topics = [*(New(name, size) for name, size in good.items()), *(topic for topic, _ in REFUSED.values())]
    assert asked_for(public_broker, topics, version) == [*dict.fromkeys(good, 0).values(), *bad.values()]
    assert partitions(public_broker, made=len(good)) == {name.decode(): size for name, size in good.items()}
    assert asked_for(public_broker, topics[2:], version) == [*bad.values()]
    again = [New(b"usage.Two-2_x", 0), New(b"usage.one"), New(b"usage.one")]
    assert asked_for(public_broker, again, version) == [36, 42]


@pytest.mark.parametrize("version", [2, 5, 7])
@pytest.mark.parametrize("sizes", [[2**31 - 1], [10_001], [10_000], [6_000, 6_000], [2**30, 1]])
def test_a_number_that_slipped_ends_nothing(public_broker: RunningBroker, version: int, sizes: list[int]) -> None:
    """Tansu asked for memory for all of them at once, and was gone. What it has is still there."""
    make(public_broker, TOPIC)
    produce(public_broker, TOPIC, [b"kept"])
    topics = [New(b"usage.%d" % number, size) for number, size in enumerate(sizes)]
    assert asked_for(public_broker, topics, version) == [44] * len(sizes)
    assert list(partitions(public_broker)) == [TOPIC]
    assert [message.value() for message in read(public_broker, TOPIC)] == [b"kept"]


@pytest.mark.parametrize("version", [4, 7])
def test_a_client_may_leave_the_numbers_to_the_broker(public_broker: RunningBroker, version: int) -> None:
    """As most clients do; or say for each partition where it is to be."""
    (broker,) = AdminClient({"bootstrap.servers": public_broker.address}).list_topics(timeout=TIMEOUT_S).brokers
    topics = [New(b"usage.any", -1, -1), New(b"usage.said", -1, -1, [(1, [broker]), (0, [broker])])]
    assert asked_for(public_broker, topics, version, only_checked=True) == [0, 0]
    assert asked_for(public_broker, topics, version) == [0, 0]
    found = partitions(public_broker, made=len(topics))
    assert found.pop("usage.any") >= 1
    assert found == {"usage.said": 2}


def test_a_clients_library_says_why(public_broker: RunningBroker) -> None:
    """The codes are those that it knows."""
    admin = AdminClient({"bootstrap.servers": public_broker.address, "log_level": 0})
    wanted = {"usage.a": (100_000, 44), "usage.b": (1, 0)}
    for name, (size, code) in wanted.items():
        future = admin.create_topics([NewTopic(name, size, 1)], request_timeout=TIMEOUT_S)[name]
        if code:
            with pytest.raises(KafkaException) as refused:
                future.result(TIMEOUT_S)
            assert refused.value.args[0].code() == code
        else:
            future.result(TIMEOUT_S)
    assert list(partitions(public_broker)) == ["usage.b"]

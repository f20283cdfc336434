"""The gate in front of the broker: who gets through, to which broker, and how much."""

import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from stream_jobs.embedded import one_question
from stream_jobs.embedded.forwarding import MAX_REQUEST_BYTES
from stream_jobs.embedded.gate import Gate
from stream_jobs.embedded.room import SMALL_BYTES
from stream_jobs.runtime.ports import free_port
from tests.integration.pipeline import until
from tests.raw_batches import batch, changed

OWN = "ours"
ANSWER = struct.pack(">ii", 5, 1)  # what is before its only byte: the broker's name
PARTITIONS_ASKED = struct.pack(">ihhihi", 14, 3, 1, 1, -1, -1)
TOPIC = struct.pack(">hh1sbi", 0, 1, b"t", 0, 1) + struct.pack(">hiiii", 0, 0, 0, 0, 0)
PARTITIONS = struct.pack(">iiiii", 16 + len(TOPIC), 1, 0, 0, 1) + TOPIC


class Backend:
    """Answers everything with the same bytes, and counts those it gets. It has one partition, 0 of the topic `t`."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    if data == PARTITIONS_ASKED:
                        connection.sendall(PARTITIONS)
                        return
                    self.received += len(data)
                    connection.sendall(self._answer)
            except OSError:
                return

    def close(self) -> None:
        with suppress(OSError):  # closed already
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def backends() -> Iterator[tuple[Backend, Backend]]:
    first, second = Backend(ANSWER + b"1"), Backend(ANSWER + b"2")
    yield first, second
    first.close()
    second.close()


@pytest.fixture
def gate(backends: tuple[Backend, Backend]) -> Iterator[Gate]:
    gate = Gate(free_port(), backends[0].port, OWN)
    gate.start()
    yield gate
    gate.stop()
    gate.stop()


def connect(gate: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=10)


def request(client_id: str) -> bytes:
    """A Kafka request, as far as the gate reads it."""
    name = client_id.encode()
    return (10 + len(name)).to_bytes(4, "big") + b"\0\3\0\3\0\0\0\1" + len(name).to_bytes(2, "big") + name


MORE = request("whoever")


def produce(payload: bytes, version: int = 3) -> bytes:
    """A produce request to one partition."""
    body = b"\0\0" + struct.pack(">hi", version, 1) + b"\0\1c" + b"\xff\xff" + b"\0\1" + b"\0\0\0\1"
    body += struct.pack(">ih1sii", 1, 1, b"t", 1, 0) + struct.pack(">i", len(payload)) + payload
    return struct.pack(">i", len(body)) + body


def answerer(connection: socket.socket) -> bytes:
    """In the next answer."""
    found = b""
    while len(found) <= len(ANSWER) and (chunk := connection.recv(len(ANSWER) + 1 - len(found))):
        found += chunk
    return found[len(ANSWER) :]


def ask(connection: socket.socket, data: bytes) -> bytes:
    """Who answers; empty when the connection is closed."""
    try:
        connection.sendall(data)
        return answerer(connection)
    except OSError:
        return b""


def test_a_held_gate_lets_only_ourselves_through(gate: Gate) -> None:
    """It starts held; a release lets everybody in; holding again closes strangers' connections and no others."""
    with closing(connect(gate)) as stranger, closing(connect(gate)) as own:
        assert ask(own, request(OWN)) == b"1"
        assert ask(stranger, request("service")) == b""
        gate.release()
        with closing(connect(gate)) as other, closing(connect(gate)) as nameless:
            assert ask(other, request("service")) == b"1"
            assert ask(nameless, (10).to_bytes(4, "big") + b"\0\3\0\3\0\0\0\1\xff\xff") == b"1"
            gate.hold()
            assert ask(other, MORE) == b""
            assert ask(nameless, MORE) == b""
        assert ask(own, MORE) == b"1"


def test_strangers_and_our_own_are_led_apart(gate: Gate, backends: tuple[Backend, Backend]) -> None:
    """While one broker takes over, strangers meet the new one and the jobs still the old one; then the jobs follow.
    A connection never changes its broker: it is cut."""
    gate.release()
    with closing(connect(gate)) as stranger, closing(connect(gate)) as own:
        assert ask(stranger, request("service")) + ask(own, request(OWN)) == b"11"
        gate.lead_own("admin-of-the-next", backends[1].port)
        with closing(connect(gate)) as admin:
            assert ask(admin, request("admin-of-the-next")) == b"2"
        gate.lead_strangers(backends[1].port)
        assert ask(stranger, MORE) == b""
        assert ask(own, MORE) == b"1"
        with closing(connect(gate)) as again:
            assert ask(again, request("service")) == b"2"
            gate.lead_own(OWN, backends[1].port)
            assert ask(own, MORE) == b""
            with closing(connect(gate)) as own_again:
                assert ask(own_again, request(OWN)) == b"2"
            assert ask(again, MORE) == b"2"


def test_our_own_wait_too_until_a_broker_has_its_topics(gate: Gate, backends: tuple[Backend, Backend]) -> None:
    """It would make one with its own defaults for the first who asks, who may be a job that comes back to it."""
    with closing(connect(gate)) as own:
        assert ask(own, request(OWN)) == b"1"
        gate.lead_own(OWN, None)
        assert ask(own, MORE) == b""
    with closing(connect(gate)) as early:
        assert ask(early, request(OWN)) == b""
    gate.lead_own("makes-topics", backends[1].port)
    with closing(connect(gate)) as first:
        assert ask(first, request("makes-topics")) == b"2"
    gate.lead_own(OWN, backends[1].port)
    with closing(connect(gate)) as own_again:
        assert ask(own_again, request(OWN)) == b"2"


def test_the_gate_closes_by_itself_when_a_broker_has_taken_its_bytes(
    gate: Gate, backends: tuple[Backend, Backend]
) -> None:
    """Between two looks at a broker's memory it cannot be overrun: past the limit strangers are cut off, ourselves
    not, until there is another broker."""
    gate.release()
    gate.lead_strangers(backends[0].port, limit_bytes=1_000_000)
    with closing(connect(gate)) as stranger, closing(connect(gate)) as own:
        assert ask(stranger, request("service")) + ask(own, request(OWN)) == b"11"
        with pytest.raises(OSError, match=r"reset|pipe|closed"):
            stranger.sendall(struct.pack(">ih", 100_000_000, 1) + b"x" * 100_000_000)
        assert gate.full
        assert backends[0].received < 3_000_000  # the limit, and what was in the kernel's buffers
        with closing(connect(gate)) as other:
            assert ask(other, request("service")) == b""
        assert ask(own, MORE) == b"1"
        gate.lead_strangers(backends[1].port, limit_bytes=1_000_000)
        assert not gate.full
        with closing(connect(gate)) as other:
            assert ask(other, request("service")) == b"2"


def test_a_broker_that_is_away_closes_the_connection(gate: Gate, backends: tuple[Backend, Backend]) -> None:
    """The client sees a broker that is away and tries again; the gate goes on."""
    gate.release()
    backends[0].close()
    with closing(connect(gate)) as stranger:
        until(lambda: ask(stranger, request("service")) == b"", 10, "closed")
    gate.lead_strangers(backends[1].port)
    with closing(connect(gate)) as stranger:
        assert ask(stranger, request("service")) == b"2"


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"POST /x HTTP/1.1\r\n\r\n", b"\xff" * 14, b"\x00" * 14])
def test_what_is_no_kafka_request_does_not_reach_the_broker(
    gate: Gate, backends: tuple[Backend, Backend], first: bytes
) -> None:
    """A web page can make a browser send HTTP to any port; the broker would take it for a request of a gigabyte."""
    gate.release()
    with closing(connect(gate)) as page:
        page.sendall(first)
        with suppress(ConnectionResetError):  # closed just the same
            assert page.recv(1) == b""
    assert backends[0].received == 0


def test_what_a_broker_would_choke_on_does_not_reach_it(gate: Gate, backends: tuple[Backend, Backend]) -> None:
    """Also as a later request of a connection, and from whoever calls itself one of ours; what is well goes through,
    in whatever pieces it comes. What cannot be answered ends the connection."""
    plain = batch([b"1", b"2"])
    bad = produce(plain, version=2)
    gate.release()
    for name in (OWN, "service"):
        with closing(connect(gate)) as client:
            assert ask(client, request(name)) == b"1"
            for piece in (produce(plain)[:5], produce(plain)[5:40], produce(plain)[40:] + produce(plain)):
                client.sendall(piece)
            assert answerer(client)
            before = until(lambda: backends[0].received, 10, "received")
            with suppress(OSError):
                client.sendall(bad)
                while client.recv(65536):
                    pass
            assert backends[0].received - before < len(bad) + 2 * len(produce(plain))
    with closing(connect(gate)) as client:
        assert ask(client, bad) == b""


@pytest.mark.parametrize(
    ("connections", "said", "sent"),
    [
        (3, MAX_REQUEST_BYTES, 0),
        (300, MAX_REQUEST_BYTES, 0),
        (4, MAX_REQUEST_BYTES, 64 * 2**20),
        (130, SMALL_BYTES - 4, 2**19 + 2**15),
        (400, SMALL_BYTES - 4, 2**18),
    ],
)
def test_whoever_stands_in_the_gate_keeps_nobody_out(gate: Gate, connections: int, said: int, sent: int) -> None:
    """Requests that are announced, or half sent, and then byte by byte: others are served at once, large ones after the
    seconds in which a client of this machine would have sent the slow one; no more is held than there is room for."""
    gate.release()
    good = produce(batch([b"1"]))
    large = produce(batch([b"x" * 2 * SMALL_BYTES]))
    slow = []
    with ExitStack() as stack:
        for _ in range(connections):
            client = stack.enter_context(closing(connect(gate)))
            with suppress(OSError):  # closed already, for those behind it
                client.sendall(struct.pack(">ihhih", said, 0, 3, 1, 3) + b"bad")
                client.sendall(b"x" * sent)
            slow.append(client)
        for number in range(2):
            for client in slow:
                with suppress(OSError):
                    client.sendall(b"x")
            for data, within_s in ((good, 3.0), (large, 6.0)):
                began = time.monotonic()
                with closing(connect(gate)) as other:
                    assert ask(other, data) == b"1", number
                assert time.monotonic() - began < within_s
        rooms = gate._forwarding._small, gate._forwarding._large
        assert all(0 <= room._held_bytes <= room._limit_bytes for room in rooms)
    until(lambda: not any(room._held_bytes or room._places for room in rooms), 10, "everything freed")


def test_a_client_that_goes_on_being_refused_is_told_of_once(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """By its name and address, whatever it calls itself, and with what it needs."""
    gate.release()
    old = produce(b"", version=2).replace(b"\0\1c", b"\0\1\n")
    for _ in range(5):
        with closing(connect(gate)) as client:
            assert ask(client, old) == b""
    (record,) = caplog.records
    assert re.fullmatch(
        r"closed the connection of '\\n' at 127\.0\.0\.1:\d+: no broker takes its produce request: "
        r"version 2 of produce requests; it needs a client for Kafka 0\.11 or newer",
        record.getMessage(),
    )


@pytest.mark.parametrize(
    ("silent", "said"),
    [
        (True, r"did not say within 0\.2 s which partitions it has"),
        (False, r"did not say which partitions it has: .*"),
    ],
)
def test_a_broker_that_does_not_say_what_it_has_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, silent: bool, said: str
) -> None:
    """Not the client, whose request arrived."""
    monkeypatch.setattr(one_question, "TIMEOUT_S", 0.2)
    server = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted.append(server.accept()[0])
                if not silent and len(accepted) > 1:
                    accepted[-1].close()

    thread = threading.Thread(target=accept)
    thread.start()
    gate = Gate(free_port(), server.getsockname()[1], OWN)
    gate.start()
    gate.release()
    try:
        with closing(connect(gate)) as client:
            assert ask(client, produce(batch([b"1"]))) == b""
    finally:
        gate.stop()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in (server, *accepted):
            each.close()
    (record,) = caplog.records
    assert re.fullmatch(rf"closed the connection of 'c' at 127\.0\.0\.1:\d+: the broker {said}", record.getMessage())


def test_a_broker_that_checks_for_itself_gets_everything_as_it_is(backends: tuple[Backend, Backend]) -> None:
    """In front of Apache Kafka the gate leads and holds, and reads no more than who it is."""
    gate = Gate(free_port(), backends[0].port, OWN, checking=False)
    gate.start()
    gate.release()
    try:
        for data in (b"\0\0\0\x0a\0\x12\x7f\xff\0\0\0\1\xff\xff", produce(changed(batch([b"1"]), 23, ">i", -100))):
            before = backends[0].received
            with closing(connect(gate)) as client:
                assert ask(client, data) == b"1"
            assert backends[0].received - before == len(data)
    finally:
        gate.stop()


def test_what_is_no_answer_closes_the_connection() -> None:
    """A broker's answer that is shorter than its own beginning."""
    backend = Backend(struct.pack(">ii", 3, 1))
    gate = Gate(free_port(), backend.port, OWN)
    gate.start()
    gate.release()
    try:
        with closing(connect(gate)) as client:
            assert ask(client, MORE) == b""
    finally:
        gate.stop()
        backend.close()

"""A client that asks in a version of ApiVersions that Tansu does not know is told so, and goes on."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.gate import Gate
from stream_jobs.runtime.ports import free_port
from tests.integration.pipeline import until
from tests.unit.embedded.test_gate import OWN, Backend

API_VERSIONS = 18
METADATA = 3
UNSUPPORTED_VERSION = 35
SOFTWARE = b"\x05kgo1" + b"\x02v"  # compact strings: name and version of the client
BODIES = {
    "of version 0": b"",
    "of version 3": b"\0" + SOFTWARE + b"\0",
    "of version 5, before the cluster is known": b"\0" + SOFTWARE + b"\0" + b"\xff\xff\xff\xff" + b"\0",
    "of version 5": b"\0" + SOFTWARE + b"\x0dtansu-a-long" + b"\0\0\0\x6f" + b"\0",
    "of a version that nobody knows": b"\xff" * 70_000,
}


@pytest.fixture
def gate(broker: TansuBroker) -> Iterator[Gate]:
    gate = Gate(free_port(), broker.port, OWN)
    gate.start()
    gate.release()
    yield gate
    gate.stop()


def connect(gate: Gate) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gate.port), timeout=10)


def request(
    version: int, correlation_id: int, body: bytes = b"", *, api: int = API_VERSIONS, client_id: str | None = "client"
) -> bytes:
    name = (client_id or "").encode()
    header = struct.pack(">hhih", api, version, correlation_id, -1 if client_id is None else len(name)) + name
    return struct.pack(">i", len(header + body)) + header + body


def answer(connection: socket.socket) -> bytes:
    """Without its size. Raises ConnectionError when the connection ends before."""
    return _exactly(connection, struct.unpack(">i", _exactly(connection, 4))[0])


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = connection.recv(size - len(found))
        if not chunk:
            raise ConnectionResetError(f"closed after {len(found)} of {size} bytes")
        found += chunk
    return found


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def known(connection: socket.socket) -> tuple[int, int]:
    """What the broker itself says that it knows of ApiVersions; it must answer version 0 without an error."""
    connection.sendall(request(0, 99))
    found = answer(connection)
    correlation_id, error, _ = struct.unpack_from(">ihi", found)
    assert (correlation_id, error) == (99, 0)
    return {api: (first, last) for api, first, last in struct.iter_unpack(">hhh", found[10:])}[API_VERSIONS]


def refusal(correlation_id: int, versions: tuple[int, int]) -> bytes:
    """As KIP-511 wants it: in the format of version 0, with one API."""
    return struct.pack(">ihihhh", correlation_id, UNSUPPORTED_VERSION, 1, API_VERSIONS, *versions)


@pytest.fixture
def versions(broker: TansuBroker) -> tuple[int, int]:
    with closing(socket.create_connection(("127.0.0.1", broker.port), timeout=10)) as direct:
        return known(direct)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_version_that_the_broker_does_not_know_is_refused_with_those_that_it_knows(
    gate: Gate, versions: tuple[int, int], body: bytes
) -> None:
    """Whatever its body is; the connection stays, and the client asks again in a version that is known."""
    for version in (versions[1] + 1, versions[1] + 2, 32767, -1):
        with closing(connect(gate)) as client:
            client.sendall(request(version, version + 7, body))
            assert answer(client) == refusal(version + 7, versions)
            assert known(client) == versions


@pytest.mark.parametrize("client_id", ["", "c", None, "ü" * 300])
def test_a_client_has_any_name_and_may_ask_more_than_once(
    gate: Gate, versions: tuple[int, int], client_id: str | None
) -> None:
    """Answers come in the order of the requests, also when they are sent at once or byte by byte."""
    beginning = [request(versions[1] + 1, number, BODIES["of version 5"], client_id=client_id) for number in range(3)]
    for pieces in ([b"".join(beginning)], [bytes([byte]) for byte in b"".join(beginning)]):
        with closing(connect(gate)) as client:
            for piece in pieces:
                client.sendall(piece)
            assert [answer(client) for _ in range(3)] == [refusal(number, versions) for number in range(3)]
            client.sendall(request(versions[1], 8, BODIES["of version 3"], client_id=client_id))
            assert answer(client)[:6] == struct.pack(">ih", 8, 0)


def test_a_version_that_the_broker_knows_is_its_own_to_answer(
    gate: Gate, broker: TansuBroker, versions: tuple[int, int]
) -> None:
    """Byte by byte as without the gate: in each version that it says it knows."""
    for version in range(versions[0], versions[1] + 1):
        asked = request(version, 5, BODIES["of version 3"] if version >= 3 else b"")
        found = []
        for port in (broker.port, gate.port):
            with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as client:
                client.sendall(asked)
                found.append(answer(client))
        assert found[0] == found[1]
        assert found[0][:6] == struct.pack(">ih", 5, 0)


def test_a_client_that_does_not_ask_again_goes_on_with_what_it_likes(gate: Gate, versions: tuple[int, int]) -> None:
    """A client that falls back to what it knows without asking: Metadata in version 1, of no topics."""
    with closing(connect(gate)) as client:
        client.sendall(request(versions[1] + 1, 1, BODIES["of version 5"]))
        assert answer(client) == refusal(1, versions)
        client.sendall(request(1, 2, b"\0\0\0\0", api=METADATA))
        assert answer(client)[:8] == struct.pack(">ii", 2, 1)  # one broker


def test_our_own_are_known_by_the_request_that_is_refused(gate: Gate, versions: tuple[int, int]) -> None:
    """While the gate holds, strangers are not even told; ourselves are. Who was told before is cut off by a hold."""
    with closing(connect(gate)) as early:
        early.sendall(request(versions[1] + 1, 1))
        assert answer(early) == refusal(1, versions)
        gate.hold()
        assert closed(early)
    with closing(connect(gate)) as stranger, closing(connect(gate)) as own:
        with suppress(OSError):
            stranger.sendall(request(versions[1] + 1, 1))
        assert closed(stranger)
        own.sendall(request(versions[1] + 1, 1, client_id=OWN))
        assert answer(own) == refusal(1, versions)
        assert known(own) == versions


def test_each_broker_is_asked_for_its_own_versions(gate: Gate, tmp_path: Path, versions: tuple[int, int]) -> None:
    """Also the one that takes over, and one that was away and is back."""
    second = TansuBroker(free_port(), tmp_path / "second")
    gate.lead_strangers(second.port)
    with closing(connect(gate)) as client:
        with suppress(OSError):
            client.sendall(request(versions[1] + 1, 1))
        assert closed(client)
    second.start()
    try:
        with closing(connect(gate)) as client:
            client.sendall(request(versions[1] + 1, 1))
            assert answer(client) == refusal(1, versions)
            assert known(client) == versions
    finally:
        second.stop()


@pytest.mark.parametrize(
    "answered",
    [
        b"\0\0\0\x0a" + b"\0\0\0\1" + b"\0\0" + b"\0\0\0\0",
        b"\0\0\0\x10" + b"\0\0\0\1" + b"\0\x23" + b"\0\0\0\1" + b"\0\x12\0\0\0\4",
        b"\0\0\0\x10" + b"\0\0\0\2" + b"\0\0" + b"\0\0\0\1" + b"\0\x12\0\0\0\4",
        b"\0\0\0\x10" + b"\0\0\0\1" + b"\0\0" + b"\0\0\0\2" + b"\0\x12\0\0\0\4",
        b"\x7f\xff\xff\xff" + b"x" * 100,
        b"\0\0\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_is_no_answer_of_a_broker_closes_the_connection(answered: bytes) -> None:
    """No APIs, an error, another one's answer, too few, gigabytes, nothing, not Kafka: nobody is told what nobody
    said."""
    backend = Backend(answered)
    gate = Gate(free_port(), backend.port, OWN)
    gate.start()
    gate.release()
    try:
        with closing(connect(gate)) as client:
            client.sendall(request(5, 1))
            assert closed(client)
        until(lambda: backend.received > 0, 10, "asked")
    finally:
        gate.stop()
        backend.close()


def test_a_request_that_lies_about_its_size_closes_the_connection(gate: Gate, versions: tuple[int, int]) -> None:
    """Shorter than its own header, or one that ends within; later ones, too, that say they have gigabytes."""
    for bad in (
        struct.pack(">ihhih", 5, API_VERSIONS, versions[1] + 1, 1, 0),
        request(versions[1] + 1, 1) + struct.pack(">ihhi", 2**31 - 1, API_VERSIONS, versions[1] + 1, 2) + b"x" * 1000,
        request(versions[1] + 1, 1) + struct.pack(">ihhi", -1, API_VERSIONS, versions[1] + 1, 2),
    ):
        with closing(connect(gate)) as client:
            client.sendall(bad)
            with suppress(ConnectionResetError):
                while found := client.recv(65536):
                    assert found[4:] == refusal(1, versions)
    with closing(connect(gate)) as client:
        client.sendall(request(versions[1] + 1, 1, b"x" * 100)[:-1])
        client.shutdown(socket.SHUT_WR)
        assert closed(client)

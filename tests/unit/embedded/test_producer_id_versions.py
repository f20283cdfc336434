"""A client that asks for a producer id in an old form gets one from the embedded broker, too."""

import socket
import struct
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.embedded import producer_id_versions
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.gate import Gate
from tests.unit.embedded.test_api_versions import answer, connect, gate, known, request

__all__ = ["gate"]

INIT_PRODUCER_ID = 22
FIRST_SERVED = 3
"""By Tansu itself. A newer one that serves older versions needs this module no more."""
BODIES = {
    0: b"\xff\xff" + struct.pack(">i", 30_000),
    1: b"\xff\xff" + struct.pack(">i", 30_000),
    2: b"\0" + b"\0" + struct.pack(">i", 30_000) + b"\0",
    **{version: b"\0" + b"\0" + struct.pack(">iqh", 30_000, -1, -1) + b"\0" for version in (3, 4, 5)},
}


def asked(version: int, correlation_id: int = 5, client_id: str | None = "client") -> bytes:
    return request(version, correlation_id, BODIES[version], api=INIT_PRODUCER_ID, client_id=client_id)


def given_id(answer: bytes, version: int) -> tuple[int, int, int]:
    """The error, the id and the epoch; all else in the answer is compared."""
    if version < 2:
        correlation_id, throttle_ms, error, producer_id, epoch = struct.unpack(">iihqh", answer)
    else:
        correlation_id, tags, throttle_ms, error, producer_id, epoch, more = struct.unpack(">ibihqhb", answer)
        assert (tags, more) == (0, 0)
    assert (correlation_id, throttle_ms) == (5, 0)
    return error, producer_id, epoch


@pytest.mark.parametrize("version", BODIES)
@pytest.mark.parametrize("client_id", ["client", "", None])
def test_an_id_is_given_in_each_version_that_the_broker_says_it_serves(
    gate: Gate, version: int, client_id: str | None
) -> None:
    """In the form of that version; ids differ, also within a connection."""
    with closing(connect(gate)) as client:
        known(client)
        found = []
        for _ in range(2):
            client.sendall(asked(version, client_id=client_id))
            found.append(given_id(answer(client), version))
    (first, one, _), (second, other, _) = found
    assert (first, second) == (0, 0)
    assert 0 <= one < other


@pytest.mark.parametrize("version", BODIES)
def test_the_broker_itself_serves_the_newer_versions_only(broker: TansuBroker, version: int) -> None:
    """As this module believes: else it is not needed any more."""
    with closing(socket.create_connection(("127.0.0.1", broker.port), timeout=10)) as client:
        client.sendall(asked(version))
        error, producer_id, _ = given_id(answer(client), version)
    assert (error == 0) == (producer_id >= 0) == (version >= FIRST_SERVED)


def test_answers_keep_their_turn(gate: Gate) -> None:
    """Among others that are sent at once, in one piece or byte by byte; each in its own form."""
    versions = [request(0, number) for number in range(10)]
    mixed = b"".join(piece for number in range(10) for piece in (versions[number], asked(number % 6, 100 + number)))
    for pieces in ([mixed], [mixed[at : at + 1] for at in range(len(mixed))]):
        with closing(connect(gate)) as client:
            for piece in pieces:
                client.sendall(piece)
            for number in range(10):
                assert answer(client)[:6] == struct.pack(">ih", number, 0)
                found = answer(client)
                assert len(found) == (20 if number % 6 < 2 else 22)
                assert found[:4] == struct.pack(">i", 100 + number)


@pytest.mark.parametrize("version", [0, 1, 2])
@given(body=st.binary(max_size=40))
def test_what_is_not_just_a_question_for_an_id_goes_on_as_it_is(version: int, body: bytes) -> None:
    """A transaction's, or anything else that is not wholly understood."""
    made = producer_id_versions.newer(request(version, 5, body, api=INIT_PRODUCER_ID)[4:])
    beginning, end = (b"\0\0", b"\0") if version == 2 else (b"\xff\xff", b"")
    plain = body.startswith(beginning) and body.endswith(end) and len(body) == len(beginning + end) + 4
    assert (made is not None) == plain


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_for_what_they_are(data: bytes) -> None:
    """Neither requests nor answers raise anything but ValueError."""
    made = producer_id_versions.newer(data)
    assert made is None or made[:4] == struct.pack(">hh", INIT_PRODUCER_ID, FIRST_SERVED)
    if len(data) != 22:
        with pytest.raises(ValueError, match="no answer"):
            producer_id_versions.older(data)


def test_a_question_that_is_cut_or_too_long_harms_nobody_else(gate: Gate) -> None:
    """Its connection ends or is the broker's to answer; the next one is served."""
    for bad in (struct.pack(">ih", 2, INIT_PRODUCER_ID), asked(1)[:-1], request(1, 5, b"x" * 80_000, api=22)):
        with closing(connect(gate)) as client:
            client.sendall(bad)
    with closing(connect(gate)) as client:
        client.sendall(asked(1))
        assert given_id(answer(client), 1)[0] == 0

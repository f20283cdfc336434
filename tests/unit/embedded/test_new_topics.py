"""Requests for topics that would end the embedded broker are told from those that clients send."""

import re
import struct
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.embedded.gate import Gate
from stream_jobs.embedded.new_topics import MAX_PARTITIONS, look_at
from tests.contract.test_broker_new_topics import New, asked, codes
from tests.unit.embedded.test_api_versions import answer, closed, connect, gate, request

__all__ = ["gate"]


def classic(name: bytes, partitions: int, version: int) -> bytes:
    """Versions 0 and 1, which Kafka 4 knows no more."""
    topic = struct.pack(">h", len(name)) + name + struct.pack(">ihii", partitions, 1, 0, 0)
    return request(version, 5, struct.pack(">i", 1) + topic + struct.pack(">i", 10_000) + b"\0" * version, api=19)


@pytest.mark.parametrize("version", range(8))
def test_what_is_passed_on_is_what_was_asked(version: int) -> None:
    """Byte for byte, where nothing of it is refused."""
    topics = [New(b"a", 3, 1), New(b"b", -1, -1)]
    whole = (classic(b"a", 3, version) if version < 2 else asked(topics, version))[4:]
    found = look_at(whole)
    assert [(topic.name, topic.partitions) for topic in found.topics] == [(b"a", 3), (b"b", -1)][: len(found.topics)]
    assert found.judged([], 0) == []
    assert found.fits([])
    assert found.without([]) == whole


@pytest.mark.parametrize("version", [0, 1])
def test_old_forms_are_answered_too(gate: Gate, version: int) -> None:
    """Which Tansu knows; the connection goes on."""
    with closing(connect(gate)) as client:
        client.sendall(classic(b"many", 2**31 - 1, version) + classic(b"one", 1, version))
        first, second = answer(client), answer(client)
    assert first[:16] == struct.pack(">iih4sh", 5, 1, 4, b"many", 44)
    assert second == struct.pack(">iih3sh", 5, 1, 3, b"one", 0) + b"\xff\xff" * version


def test_a_broker_has_no_more_partitions_than_it_can_list_in_time(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """In all: it is asked for them at every second. The log names who wanted more, in one line."""
    with closing(connect(gate)) as client:
        for name, size, code in ((b"a", 6_000, 0), (b"b", 6_000, 44), (b"c", MAX_PARTITIONS - 6_000, 0), (b"d", 1, 44)):
            client.sendall(asked([New(name, size)], 5))
            assert codes(answer(client), 5) == {name: code}
    (record,) = caplog.records
    assert re.fullmatch(
        r"refused to make a topic 'b' for 'client' at 127\.0\.0\.1:\d+, error 44: "
        r"6000 partitions in one request, where the broker has 6000 and may have 10000",
        record.getMessage(),
    )


@pytest.mark.parametrize("bad", [asked([New(b"a")], 7)[:-9] + b"\xff" * 9, request(8, 5, b"", api=19)])
def test_what_is_no_such_request_ends_the_connection(gate: Gate, bad: bytes) -> None:
    """In whatever version."""
    with closing(connect(gate)) as client:
        client.sendall(bad)
        assert closed(client)


@given(st.binary(max_size=200), st.integers(-1, 9), st.integers(0, 100))
def test_whatever_the_bytes_they_are_taken_or_not(junk: bytes, version: int, cut: int) -> None:
    """And nothing else is raised."""
    for whole in (junk, struct.pack(">hhi", 19, version, 1) + junk, asked([New(b"a")], 7)[4 : 4 + cut] + junk):
        try:
            found = look_at(whole)
        except ValueError:
            continue
        judged = found.judged([b"a"], 5)
        found.completed(judged)(found.answer(judged))
        found.without(judged)

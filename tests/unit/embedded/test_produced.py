"""Produce requests that no broker takes are told from those that clients send."""

import contextlib
import struct
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.embedded.produced import UnacceptableError, check
from tests.raw_batches import batch, changed
from tests.unit.embedded.test_gate import produce

PLAIN: Final = batch([b"1", b"2"])
LAST_DELTA, ATTRIBUTES, MAGIC, LENGTH, RECORDS = 23, 21, 16, 8, 57


def flexible(payload: bytes, version: int) -> bytes:
    """As versions from 9 on have it, with tagged fields; from 13 on with the topic's id instead of its name."""
    topic = b"\0" * 16 if version >= 13 else b"\2t"
    size = bytes([len(payload) + 1 & 0x7F | 0x80, len(payload) + 1 >> 7])
    return (
        struct.pack(">hhi", 0, version, 1)
        + (b"\0\1c" + b"\1\7\2ab" + b"\0" + struct.pack(">hi", 1, 1))
        + (b"\2" + topic + b"\2" + struct.pack(">i", 0) + size + payload + b"\0" + b"\0" + b"\0")
    )


@pytest.mark.parametrize("payload", [PLAIN, PLAIN + PLAIN, b""])
def test_what_clients_send_is_taken(payload: bytes) -> None:
    """In all versions that there are."""
    for version in range(3, 9):
        check(produce(payload, version)[4:])
    for version in range(9, 14):
        check(flexible(payload, version))


@pytest.mark.parametrize(
    "payload",
    [
        *(changed(PLAIN, LAST_DELTA, ">i", value) for value in (-100, -2, -1, 0, 2, 5_000_000, 2**31 - 1)),
        *(changed(PLAIN, RECORDS, ">i", value) for value in (0, -5, 1, 3, 2**31 - 1)),
        changed(changed(PLAIN, RECORDS, ">i", 0), LAST_DELTA, ">i", -1),
        *(changed(PLAIN, ATTRIBUTES, ">h", value) for value in (0x20, 0x30, 5, 7, -1)),
        *(changed(PLAIN, MAGIC, ">b", value) for value in (0, 1, 3, -1)),
        *(changed(PLAIN, LENGTH, ">i", value) for value in (-1, 0, 10, 10**9, 2**31 - 1)),
        PLAIN[:40],
        PLAIN[:61],
        PLAIN + b"x",
        PLAIN + changed(PLAIN, LAST_DELTA, ">i", -100),
    ],
)
def test_what_a_broker_would_choke_on_is_not(payload: bytes) -> None:
    """In every place and form."""
    for request in (produce(payload)[4:], *(flexible(payload, version) for version in (9, 13))):
        with pytest.raises(UnacceptableError):
            check(request)


@given(st.binary(max_size=200), st.integers(-1, 20), st.integers(0, 300))
def test_whatever_the_bytes_they_are_taken_or_not(junk: bytes, version: int, cut: int) -> None:
    """And nothing else is raised, nor does it take long."""
    for request in (junk, struct.pack(">hhi", 0, version, 1) + junk, flexible(PLAIN, 9)[:cut] + junk):
        with contextlib.suppress(UnacceptableError):
            check(request)

"""Produce requests that no broker takes are told from those that clients send."""

import contextlib
import struct
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.embedded.fields import varint
from stream_jobs.embedded.produced import Partition, UnacceptableError, look_at
from tests.raw_batches import batch, changed, records_of, with_payload
from tests.unit.embedded.test_gate import produce

PLAIN: Final = batch([b"1", b"2"])
LAST_DELTA, ATTRIBUTES, MAGIC, LENGTH, RECORDS = 23, 21, 16, 8, 57


def counted(plain: bytes, count: int) -> bytes:
    """The batch with another number of records, which its offsets fit."""
    return changed(changed(plain, RECORDS, ">i", count), LAST_DELTA, ">i", count - 1)


def flexible(payload: bytes, version: int) -> bytes:
    """As versions from 9 on have it, with tagged fields; from 13 on with the topic's id instead of its name."""
    topic = b"\0" * 16 if version >= 13 else b"\2t"
    size = varint(len(payload) + 1)
    return (
        struct.pack(">hhi", 0, version, 1)
        + (b"\0\1c" + b"\1\7\2ab" + b"\0" + struct.pack(">hi", 1, 1))
        + (b"\2" + topic + b"\2" + struct.pack(">i", 0) + size + payload + b"\0" + b"\0" + b"\0")
    )


@pytest.mark.parametrize(
    "payload",
    [
        PLAIN,
        with_payload(changed(changed(PLAIN, RECORDS, ">i", 1), LAST_DELTA, ">i", 0), 0, b"\x0c\0\0\0\1\1\0"),
        batch([b"x" * 70, b"", b"y" * 9_000, b"z" * 3_000_000]),
        with_payload(PLAIN, 4, b"zstd"),
    ],
)
def test_what_clients_send_is_taken(payload: bytes) -> None:
    """In all versions that there are, down to the shortest record that there is."""
    for version in range(3, 9):
        assert look_at(produce(payload, version)[4:]).refused() is None
    for version in range(9, 14):
        assert look_at(flexible(payload, version)).refused() is None


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        *((changed(PLAIN, LAST_DELTA, ">i", value), 87) for value in (-100, -2, -1, 0, 2, 5_000_000, 2**31 - 1)),
        *((changed(PLAIN, RECORDS, ">i", value), 87) for value in (0, -5, 1, 3, 2**31 - 1)),
        *((counted(PLAIN, value), 87) for value in (0, 1, 3, 100, 2**31 - 1)),
        *((changed(PLAIN, ATTRIBUTES, ">h", value), 87) for value in (0x20, 0x28)),
        *((changed(PLAIN, ATTRIBUTES, ">h", value), -1) for value in (5, 6, 7)),
        *((changed(PLAIN, ATTRIBUTES, ">h", value), 53) for value in (0x10, 0x30, 0x11, -1)),
        *((changed(PLAIN, MAGIC, ">b", value), 87) for value in (0, 1)),
        *((changed(PLAIN, MAGIC, ">b", value), 2) for value in (3, -1)),
        *((changed(PLAIN, LENGTH, ">i", value), 87) for value in (-1, 0, 10, 10**9, 2**31 - 1)),
        *(
            (PLAIN[:at] + bytes([PLAIN[at] ^ 1]) + PLAIN[at + 1 :], 2)
            for at in (17, 20, 22, 30, 50, 61, len(PLAIN) - 1)
        ),
        (with_payload(PLAIN, 0, b"garbage" * 5), 87),
        (with_payload(PLAIN, 0, records_of(PLAIN) + b"\0"), 87),
        (with_payload(PLAIN, 0, records_of(PLAIN)[:-1]), 87),
        (with_payload(PLAIN, 0, b"\xff" * 40), 87),
        (with_payload(PLAIN, 0, b"\1" * 2), 87),
        *((with_payload(PLAIN, 0, records_of(PLAIN)[:9] + bytes([size << 1, *range(size)])), 87) for size in range(6)),
        (PLAIN + PLAIN, 87),
        (b"", 87),
        *((changed(changed(PLAIN, 43, ">q", value), 53, ">i", -1), 87) for value in (0, 7, 2**62)),
        (PLAIN[:40], 87),
        (PLAIN + b"x", 87),
        (PLAIN + changed(PLAIN, LAST_DELTA, ">i", -100), 87),
    ],
)
def test_what_a_broker_would_choke_on_or_lose_is_refused(payload: bytes, code: int) -> None:
    """In every form, with the error that Kafka has for it."""
    for request in (produce(payload)[4:], *(flexible(payload, version) for version in (9, 13))):
        refused = look_at(request).refused()
        assert refused is not None
        assert (refused.code, refused.number) == (code, 0)
        assert refused.reason


def test_records_that_are_null_are_refused() -> None:
    """As none are. Kafka answers nothing, and Tansu closes the connection."""
    for request in (produce(b"")[4:-4] + struct.pack(">i", -1), flexible(b"", 9)[:-4] + b"\0" * 4):
        assert [partition.code for partition in look_at(request).partitions] == [87]


@pytest.mark.parametrize("version", range(3, 14))
def test_the_answer_has_the_form_of_its_version(version: int) -> None:
    """What was sent together with what is refused is to be sent again (error 7)."""
    payload = changed(PLAIN, RECORDS, ">i", 5)
    found = look_at(produce(payload, version)[4:] if version < 9 else flexible(payload, version))
    found.partitions.append(Partition(found.partitions[0].topic, 3))
    answer = found.answer()
    reason = (found.partitions[0].reason.encode(), b"sent together with what was refused")
    if version < 9:
        made = struct.pack(">iih1si", 1, 1, 1, b"t", 2)
        for number, code, text in ((0, 87, reason[0]), (3, 7, reason[1])):
            made += struct.pack(">ihqq", number, code, -1, -1)
            made += struct.pack(">q", -1) if version >= 5 else b""
            made += struct.pack(">ih", 0, len(text)) + text if version >= 8 else b""
        made += struct.pack(">i", 0)
    else:
        made = struct.pack(">ibb", 1, 0, 2) + (b"\0" * 16 if version >= 13 else b"\2t") + b"\3"
        for number, code, text in ((0, 87, reason[0]), (3, 7, reason[1])):
            made += struct.pack(">ihqqqbb", number, code, -1, -1, -1, 1, len(text) + 1) + text + b"\0"
        made += struct.pack(">bib", 0, 0, 0)
    assert answer == made


@pytest.mark.parametrize("acks", [-2, 2, 5, 2**15 - 1])
def test_acknowledgements_that_there_are_not_are_refused(acks: int) -> None:
    """For all that the request holds."""
    request = produce(PLAIN)[4:].replace(struct.pack(">hi", 1, 1), struct.pack(">hi", acks, 1))
    assert [partition.code for partition in look_at(request).partitions] == [21]


def test_what_only_brokers_write_is_refused() -> None:
    """Their topics are no client's."""
    request = produce(PLAIN)[4:].replace(b"\0\1t", b"\0\x12__consumer_offsets")
    assert [partition.code for partition in look_at(request).partitions] == [17]


@pytest.mark.parametrize("version", [-1, 0, 1, 2, 14])
def test_what_cannot_be_answered_is_not(version: int) -> None:
    """Versions that no one knows, and what is no request at all."""
    with pytest.raises(UnacceptableError):
        look_at(produce(PLAIN, version)[4:])
    for cut in (0, 1, 7, 20, len(produce(PLAIN)) - 5):
        with pytest.raises(UnacceptableError):
            look_at(produce(PLAIN)[4 : 4 + cut])


@given(st.binary(max_size=200), st.integers(-1, 20), st.integers(0, 300))
def test_whatever_the_bytes_they_are_taken_or_not(junk: bytes, version: int, cut: int) -> None:
    """And nothing else is raised, nor does it take long."""
    for request in (junk, struct.pack(">hhi", 0, version, 1) + junk, flexible(PLAIN, 9)[:cut] + junk):
        with contextlib.suppress(UnacceptableError):
            look_at(request).answer()


@given(st.binary(max_size=60), st.integers(-1, 5))
def test_whatever_the_records_they_are_taken_or_refused(junk: bytes, count: int) -> None:
    """In a batch that is well otherwise."""
    refused = look_at(produce(counted(with_payload(PLAIN, 0, junk), count))[4:]).refused()
    assert refused is None or refused.code == 87

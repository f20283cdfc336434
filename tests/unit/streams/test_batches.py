"""Batches from the broker: none of them stops the reading or fills the memory."""

import struct
from typing import Any

import pytest
from aiokafka import codec
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.streams.batches import ReadableRecords, UnreadableBatchError, read_safely, unpack_zstd
from tests.raw_batches import GZIP, LZ4, SNAPPY, ZSTD, batch, changed, records_of, sealed, with_payload

CODECS = {"gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
PLAIN = batch([b"one", b"two"])


def read(*batches: bytes) -> list[tuple[int, bytes]]:
    """Offsets and values, as the fetcher hands them on; the batches follow each other in the log."""
    read_safely()
    raw, offset = b"", 0
    for one in batches:
        raw += struct.pack(">q", offset) + one[8:]
        offset += struct.unpack(">i", one[23:27])[0] + 1
    records = ReadableRecords(TP("t", 0), MemoryRecords(raw), None, 0, None, None, True, READ_COMMITTED)
    return [(record.offset, record.value) for record in records]


@pytest.mark.parametrize("name", CODECS)
def test_what_is_in_order_is_read_as_it_is(name: str) -> None:
    """By every codec that Kafka knows."""
    packed = with_payload(PLAIN, CODECS[name], getattr(codec, f"{name}_encode")(records_of(PLAIN)))
    assert read(packed, PLAIN) == [(0, b"one"), (1, b"two"), (2, b"one"), (3, b"two")]


@pytest.mark.parametrize("name", ["none", *CODECS])
@pytest.mark.parametrize(("says", "read_as_it_is"), [(1, 0), (2, 1), (4, 3), (7, 3)])
def test_a_batch_of_other_records_than_it_says_has_a_notice(name: str, says: int, read_as_it_is: int) -> None:
    """Three, where it says that there are fewer or more: every offset stands for a record or has a notice, and whoever
    looks for what was lost finds one."""
    three = batch([b"1", b"2", b"3"])
    made = changed(changed(three, 57, ">i", says), 23, ">i", says - 1)
    if name != "none":
        made = with_payload(made, CODECS[name], getattr(codec, f"{name}_encode")(records_of(three)))
    found = read(made, PLAIN)
    assert [offset for offset, _ in found] == list(range(says + 2))
    assert [value for _, value in found[:read_as_it_is]] == [b"1", b"2", b"3"][:read_as_it_is]
    assert all(b"a batch that cannot be read" in value for _, value in found[read_as_it_is:says])
    assert [value for _, value in found[says:]] == [b"one", b"two"]


@pytest.mark.parametrize("key", [None, b"", b"x", b"\0\0\0\0", b"\0\0\0\1"])
def test_no_control_batch_stops_the_reading(key: bytes | None) -> None:
    """Whatever it says that it is."""
    builder = DefaultRecordBatchBuilder(2, 0, 1, 7, 0, 0, 1 << 20)
    builder.append(0, 0, key, b"", [])
    control = changed(bytes(builder.build()), 21, ">h", 0x30)
    assert [value for _, value in read(control, PLAIN)] == [b"one", b"two"]
    junk = changed(with_payload(control, 0, b"junk"), 21, ">h", 0x30)
    assert [value for _, value in read(junk, PLAIN)] == [b"one", b"two"]


@pytest.mark.parametrize("name", CODECS)
def test_a_notice_stands_for_each_record_of_what_cannot_be_unpacked(name: str) -> None:
    """Garbage, a part of something, more than the bound: what comes behind is read."""
    encode: Any = getattr(codec, f"{name}_encode")
    whole = encode(records_of(PLAIN) * 50)
    for payload in (
        b"",
        b"garbage",
        whole[: len(whole) // 2],
        encode(bytes(70_000_000)),
        encode(records_of(PLAIN)[:9]),
    ):
        (_, first), (_, second), *rest = read(with_payload(PLAIN, CODECS[name], payload), PLAIN)
        assert first.startswith(b"spendstream: offsets 0 to 1 are a batch that cannot be read")
        assert first == second
        assert rest == [(2, b"one"), (3, b"two")]


def test_a_snappy_block_of_negative_length_ends() -> None:
    """aiokafka's own reader goes back four bytes, for ever."""
    looping = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xfc"
    assert read(with_payload(PLAIN, SNAPPY, looping), PLAIN)[2:] == [(2, b"one"), (3, b"two")]


def test_what_unpacks_to_gigabytes_is_not_unpacked() -> None:
    """Some kilobytes of zstd."""
    with pytest.raises(UnreadableBatchError, match="more than"):
        unpack_zstd(codec.zstd_encode(bytes(500_000_000)))


@given(st.lists(st.tuples(st.integers(13, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_whatever_a_batch_holds_the_next_one_is_read(changes: list[tuple[int, int]], resealed: bool) -> None:
    """Any bytes behind the length, with a checksum that is right or wrong; only where it says where it ends is kept."""
    made = bytearray(PLAIN)
    for at, byte in changes:
        made[at] = byte
    made[16] = 2  # another version is another format
    made[23:27] = PLAIN[23:27]
    raw = sealed(made) if resealed else bytes(made)
    found = read(raw, PLAIN)
    assert found[-2:] == [(2, b"one"), (3, b"two")]
    assert [offset for offset, _ in found] == sorted({offset for offset, _ in found})

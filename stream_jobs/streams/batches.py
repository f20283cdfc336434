"""Batches of records as they come from the broker, read so that no batch can stop the reading or fill the memory.

Whoever may produce decides what is in a batch: a megabyte can unpack to thirty gigabytes, to nothing that makes sense,
or to more than its header says, and not every broker looks inside. aiokafka unpacks whatever it is given, all at once,
and goes back to the same batch for ever when that fails. Here the unpacked size has a bound, and for each record of a
batch that cannot be read a notice takes its place: booking jobs quarantine it, feeds pass it over, and what comes
behind it goes on.
"""

import gzip
import io
import logging
import struct
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import cramjam
import pyarrow as pa
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from stream_jobs.runtime.metrics import UNREADABLE_BATCHES

log = logging.getLogger(__name__)

MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
"""Of one batch. Clients close a batch at a megabyte or so before they compress it."""
MAX_NOTICES: Final = 10_000
"""A batch may say that it spans two billion offsets: then one notice stands for all."""
STEP_BYTES: Final = 1024 * 1024
_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16


class UnreadableBatchError(ValueError):
    """What a batch holds cannot be unpacked within bounds."""


class Notice(NamedTuple):
    """Stands for a record that cannot be read."""

    offset: int
    timestamp: int
    value: bytes
    timestamp_type: int = 0
    key: None = None
    checksum: None = None
    headers: tuple[()] = ()


def _bounded(size: int) -> None:
    if size > MAX_UNPACKED_BYTES:
        raise UnreadableBatchError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")


def _unpacked(payload: Any, codec: str) -> bytes:
    """Step by step, unlike cramjam."""
    parts, size = list[bytes](), 0
    with pa.input_stream(pa.py_buffer(payload), compression=codec) as stream:
        while part := stream.read(STEP_BYTES):
            parts.append(part)
            size += len(part)
            _bounded(size)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unpack_zstd(payload: Any) -> bytes:
    return _unpacked(payload, "zstd")


def unpack_lz4(payload: Any) -> bytes:
    return _unpacked(payload, "lz4")


def unpack_gzip(payload: Any) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(payload), mode="rb") as file:
        unpacked = file.read(MAX_UNPACKED_BYTES + 1)
    _bounded(len(unpacked))
    return unpacked


def unpack_snappy(payload: Any) -> bytes:
    """One block, or the framing of the Java library: blocks that each begin with their length."""
    data = bytes(payload)
    if not data.startswith(_XERIAL_MAGIC):
        return _snappy_block(data, 0)
    parts, size, at = list[bytes](), 0, _XERIAL_HEADER_BYTES
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        if length < 0 or at + 4 + length > len(data):
            raise UnreadableBatchError(f"a block of {length} bytes")
        parts.append(_snappy_block(data[at + 4 : at + 4 + length], size))
        size += len(parts[-1])
        at += 4 + length
    return b"".join(parts)


def _snappy_block(block: bytes, before: int) -> bytes:
    _bounded(before + cramjam.snappy.decompress_raw_len(block))
    return bytes(cramjam.snappy.decompress_raw(block))


class _Batch:
    """A batch whose iteration does not fail: aiokafka's, with what cannot be read replaced by notices."""

    def __init__(self, topic: str, partition: int, batch: Any) -> None:
        self._place = topic, partition
        self._batch = batch
        self._damaged = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:  # of a control batch
        return next(self._batch)

    def validate_crc(self) -> bool:
        self._damaged = not self._batch.validate_crc()
        return True

    def __iter__(self) -> Iterator[Any]:
        at, end = getattr(self._batch, "base_offset", 0), self._batch.next_offset
        try:
            if self._damaged:
                raise UnreadableBatchError("its checksum is wrong")
            records = iter(self._batch)
            for record in records:
                offset = record.offset
                if not at <= offset < end:
                    raise UnreadableBatchError(f"offset {offset} is not between {at} and {end - 1}")
                last = offset + 1 == end
                if last and next(records, None) is not None:
                    raise UnreadableBatchError("it holds more records than it says")
                at = offset + 1
                yield record
                if last:  # aiokafka's iterator begins anew when it is asked once more
                    return
        except Exception as error:  # noqa: BLE001 - logged and counted
            yield from self._notices(at, end, error)

    def _notices(self, at: int, end: int, error: Exception) -> Iterator[Notice]:
        topic, partition = self._place
        reason = f"{error or type(error).__name__}".replace("\n", " ")[:200]
        UNREADABLE_BATCHES.labels(topic).inc()
        log.error("%s[%d] offsets %d to %d cannot be read: %s", topic, partition, at, end - 1, reason)
        value = f"spendstream: offsets {at} to {end - 1} are a batch that cannot be read: {reason}".encode()
        for offset in range(at if end - at <= MAX_NOTICES else end - 1, end):
            yield Notice(offset, -1, value)


class _Batches:
    """aiokafka's MemoryRecords, with batches that can be read."""

    def __init__(self, topic: str, partition: int, records: Any) -> None:
        self._place = topic, partition
        self._records = records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def next_batch(self) -> _Batch | None:
        batch = self._records.next_batch()
        return None if batch is None else _Batch(*self._place, batch)


class ReadableRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """What aiokafka makes of one fetch of one partition."""

    def __init__(self, tp: Any, records: Any, *rest: Any) -> None:
        super().__init__(tp, _Batches(tp.topic, tp.partition, records), *rest)

    def _contains_abort_marker(self, next_batch: Any) -> bool:
        """A control batch that cannot be read ends no transaction: no broker writes one."""
        try:
            return bool(super()._contains_abort_marker(next_batch))
        except Exception:  # noqa: BLE001 - as above
            return False


def read_safely() -> None:
    """From now on, in the whole process."""
    fetcher.PartitionRecords = ReadableRecords
    for batch in (DefaultRecordBatch, LegacyRecordBatch):
        module = sys.modules[batch.__module__]
        for codec, unpack in (
            ("zstd", unpack_zstd),
            ("lz4", unpack_lz4),
            ("gzip", unpack_gzip),
            ("snappy", unpack_snappy),
        ):
            if hasattr(module, f"{codec}_decode"):
                setattr(module, f"{codec}_decode", unpack)

"""How much an Arrow message unpacks to, before anything of it is unpacked.

A compressed buffer begins with the length that it says it has unpacked, and pyarrow allocates that; a kilobyte can say
(and be) gigabytes. The lengths stand where the metadata says; pyarrow has verified the metadata's structure before it
hands out a message, and has no call that tells the lengths, so they are read here (format: apache/arrow,
format/Message.fbs; encoding: flatbuffers' internals page).
"""

import struct
from typing import Final

import pyarrow as pa

MAX_BATCHES: Final = 1_000
_PREFIX: Final = struct.Struct("<q")
_NOT_COMPRESSED: Final = -1
_BUFFER: Final = struct.Struct("<qq")
_HEADER_TYPE, _HEADER = 1, 2  # fields of the table Message
_RECORD_BATCH: Final = 3  # of the union MessageHeader
_BUFFERS, _COMPRESSION = 2, 3  # fields of the table RecordBatch


def unpacked_bytes(message: bytes) -> int:
    """Of all record batches of an IPC stream together.

    Raises ValueError for a stream that holds anything but record batches after its schema, or more than MAX_BATCHES;
    and what pyarrow raises for what is no stream.
    """
    total = 0
    for number, part in enumerate(pa.ipc.MessageReader.open_stream(pa.py_buffer(message))):
        if part.type == "schema" and number == 0:
            continue
        if part.type != "record batch" or number > MAX_BATCHES:
            raise ValueError(f"message {number} is a {part.type}")
        total += _batch_bytes(part.metadata.to_pybytes(), part.body)
    return total


def _batch_bytes(metadata: bytes, body: pa.Buffer | None) -> int:
    try:
        return _of_batch(metadata, memoryview(body) if body is not None else memoryview(b""))
    except (struct.error, IndexError) as error:
        raise ValueError(f"the metadata of a record batch cannot be read: {error}") from None


def _of_batch(metadata: bytes, body: memoryview) -> int:
    message = _u32(metadata, 0)
    kind = _field(metadata, message, _HEADER_TYPE)
    header = _field(metadata, message, _HEADER)
    if kind is None or header is None or metadata[kind] != _RECORD_BATCH:
        raise ValueError("a record batch without a header")
    batch = header + _u32(metadata, header)
    found = _field(metadata, batch, _BUFFERS)
    compressed = _field(metadata, batch, _COMPRESSION) is not None
    if found is None:
        return 0
    vector = found + _u32(metadata, found)
    total = 0
    for index in range(_u32(metadata, vector)):
        offset, length = _BUFFER.unpack_from(metadata, vector + 4 + index * _BUFFER.size)
        if offset < 0 or length < 0 or offset + length > len(body):
            raise ValueError(f"buffer {index} lies outside of its message")
        if compressed and length >= _PREFIX.size:
            (says,) = _PREFIX.unpack_from(body, offset)
            if says < _NOT_COMPRESSED:
                raise ValueError(f"buffer {index} unpacks to {says} bytes")
            total += length if says == _NOT_COMPRESSED else says
        else:
            total += length
    return total


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little") if 0 <= at <= len(data) - 4 else _beyond(at)


def _beyond(at: int) -> int:
    raise IndexError(f"{at} is beyond the end")


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where a field of a table lies; None: it has its default."""
    (back,) = struct.unpack_from("<i", data, table)
    vtable = table - back
    if not 0 <= vtable <= len(data) - 4:
        _beyond(vtable)
    (size,) = struct.unpack_from("<H", data, vtable)
    place = 4 + 2 * number
    if place + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", data, vtable + place)
    return table + offset if offset else None

"""How one message is framed in a spool segment: length, checksum, key length, key, value (little endian).

    u32 payload length (key + value) | u32 crc32(key length + payload) | u16 key length | key | value

The checksum covers the key length too, so a block of zeros (what a file system may leave after a power cut) is not
a valid record.
"""

import struct
import zlib
from typing import Final

from spendstream_schemas import MAX_MESSAGE_BYTES

HEADER: Final = struct.Struct("<IIH")
MAX_KEY_BYTES: Final = 1024  # an event_id has at most 128 characters, 512 bytes
MAX_PAYLOAD_BYTES: Final = MAX_MESSAGE_BYTES + MAX_KEY_BYTES


class TornError(Exception):
    """The rest of the segment cannot be read: it ends inside a record, or a length is impossible."""


class ChecksumError(Exception):
    """This one record is damaged; the next begins at `next_offset`."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


def encode(key: bytes, value: bytes) -> bytes:
    """The bytes to append for one message."""
    payload = key + value
    crc = zlib.crc32(payload, zlib.crc32(len(key).to_bytes(2, "little")))
    return HEADER.pack(len(payload), crc, len(key)) + payload


def decode(data: bytes, offset: int) -> tuple[bytes, bytes, int]:
    """(key, value, offset of the next record). Raises TornError or ChecksumError."""
    body = offset + HEADER.size
    if body > len(data):
        raise TornError
    length, crc, key_length = HEADER.unpack_from(data, offset)
    end = body + length
    if length > MAX_PAYLOAD_BYTES or key_length > length or end > len(data):
        raise TornError
    payload = data[body:end]
    if zlib.crc32(payload, zlib.crc32(key_length.to_bytes(2, "little"))) != crc:
        raise ChecksumError(end)
    return payload[:key_length], payload[key_length:], end

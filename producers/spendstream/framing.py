"""How one message is framed in a spool segment: length, checksum, key length, key, value (little endian).

    u32 payload length | u32 crc32(key length + payload) | u16 key length | key | value
    the same, of a signed message                        | u16 key length + 0x8000 | u8 length | signature | key | value

A message without a signature is framed as it always was: files of earlier versions are read, and earlier versions read
what is not signed. The checksum covers the key length too, so a block of zeros (what a file system may leave after a
power cut) is not a valid record.
"""

import struct
import zlib
from typing import Final

from spendstream_schemas import MAX_MESSAGE_BYTES

HEADER: Final = struct.Struct("<IIH")
MAX_KEY_BYTES: Final = 1024  # an event_id has at most 128 characters, 512 bytes
MAX_PAYLOAD_BYTES: Final = MAX_MESSAGE_BYTES + MAX_KEY_BYTES + 256
_SIGNED: Final = 0x8000  # far above any key's length


class TornError(Exception):
    """The rest of the segment cannot be read: it ends inside a record, or a length is impossible."""


class ChecksumError(Exception):
    """This one record is damaged; the next begins at `next_offset`."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


def encode(key: bytes, value: bytes, signature: bytes = b"") -> bytes:
    """The bytes to append for one message."""
    payload, key_length = key + value, len(key)
    if signature:
        payload, key_length = bytes([len(signature)]) + signature + payload, key_length | _SIGNED
    crc = zlib.crc32(payload, zlib.crc32(key_length.to_bytes(2, "little")))
    return HEADER.pack(len(payload), crc, key_length) + payload


def decode(data: bytes, offset: int) -> tuple[bytes, bytes, bytes, int]:
    """(key, value, signature, offset of the next record). Raises TornError or ChecksumError."""
    body = offset + HEADER.size
    if body > len(data):
        raise TornError
    length, crc, key_length = HEADER.unpack_from(data, offset)
    end = body + length
    if length > MAX_PAYLOAD_BYTES or key_length & ~_SIGNED > length or end > len(data):
        raise TornError
    payload = data[body:end]
    if zlib.crc32(payload, zlib.crc32(key_length.to_bytes(2, "little"))) != crc:
        raise ChecksumError(end)
    if not key_length & _SIGNED:
        return payload[:key_length], payload[key_length:], b"", end
    key_at = 1 + payload[0] if payload else 0
    value_at = key_at + (key_length & ~_SIGNED)
    if not 0 < key_at <= value_at <= length:
        raise ChecksumError(end)
    return payload[key_at:value_at], payload[value_at:], payload[1:key_at], end

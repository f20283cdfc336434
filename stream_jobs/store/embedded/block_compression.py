"""ClickHouse's own framing of compressed answers, which `compress=1` asks for, as the JDBC driver does.

Each frame: CityHash128 of what follows (16 bytes), the method (one byte), the size of the frame from the method on and
the size of the plain data (4 bytes each, little-endian), the compressed data.
"""

import struct
from typing import Final

import lz4.block
from clickhouse_cityhash.cityhash import CityHash128

FRAME_BYTES: Final = 1024 * 1024
"""Plain bytes per frame at most, as a server's: clients hold one in memory, and refuse much larger ones."""
_LZ4: Final = 0x82
_HEADER: Final = struct.Struct("<BII")
_HASH: Final = struct.Struct("<QQ")
_LOW: Final = 2**64 - 1


class BlockCompressor:
    """Compresses an answer piece by piece; each piece can be read as soon as it has arrived."""

    def add(self, piece: bytes) -> bytes:
        return b"".join(_frame(piece[at : at + FRAME_BYTES]) for at in range(0, len(piece), FRAME_BYTES))

    def finish(self) -> bytes:
        return b""


def _frame(plain: bytes) -> bytes:
    packed = lz4.block.compress(plain, store_size=False)
    framed = _HEADER.pack(_LZ4, _HEADER.size + len(packed), len(plain)) + packed
    digest = CityHash128(framed)
    return _HASH.pack(digest >> 64, digest & _LOW) + framed

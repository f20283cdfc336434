"""ClickHouse's framing of compressed answers: what the JDBC driver reads."""

import os
import struct

import lz4.block
import pytest
from clickhouse_cityhash.cityhash import CityHash128

from stream_jobs.store.embedded.block_compression import FRAME_BYTES, BlockCompressor


def frames(data: bytes) -> list[bytes]:
    """The plain contents of each frame; every check sum and size is right."""
    found = []
    while data:
        low, high, method, size, plain_size = struct.unpack_from("<QQBII", data)
        framed = data[16 : 16 + size]
        assert CityHash128(framed) == low << 64 | high
        assert method == 0x82
        found.append(lz4.block.decompress(framed[9:], uncompressed_size=plain_size))
        data = data[16 + size :]
    return found


def test_a_frame_is_what_a_server_sends() -> None:
    """Check sum, method, sizes, data: two bytes are the same in every LZ4."""
    frame = BlockCompressor().add(b"1\n")
    assert frame[16:] == bytes.fromhex("82 0c000000 02000000 20 31 0a")
    assert frames(frame) == [b"1\n"]


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])
def test_a_large_piece_goes_in_several_frames(size: int) -> None:
    """Nothing is lost, and an empty piece is no frame, which some clients take for the end."""
    plain = os.urandom(size // 2) + bytes(size - size // 2)
    compressor = BlockCompressor()
    found = frames(compressor.add(plain) + compressor.finish())
    assert b"".join(found) == plain
    assert all(0 < len(piece) <= FRAME_BYTES for piece in found)

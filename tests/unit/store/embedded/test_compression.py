"""Bodies that are compressed, and bodies that only say so."""

import gzip
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.embedded.compression import RESPONSE_ENCODINGS, ResponseCompressor, choose_encoding, decompress
from stream_jobs.store.embedded.errors import EngineError

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@given(st.sampled_from(RESPONSE_ENCODINGS), st.lists(st.binary(max_size=100), max_size=5))
def test_round_trip(encoding: str, pieces: list[bytes]) -> None:
    """What we compress piece by piece, others and we ourselves read back whole."""
    compressor = ResponseCompressor(encoding)
    packed = b"".join([*map(compressor.add, pieces), compressor.finish()])
    assert DECODERS[encoding](packed) == b"".join(pieces)
    assert decompress(packed, encoding, 1000) == b"".join(pieces)


@pytest.mark.parametrize("encoding", RESPONSE_ENCODINGS)
def test_a_bomb_does_not_go_off(encoding: str) -> None:
    """A small body that unpacks to more than the bound is refused with 413."""
    compressor = ResponseCompressor(encoding)
    bomb = compressor.add(bytes(10_000_000)) + compressor.finish()
    with pytest.raises(EngineError) as caught:
        decompress(bomb, encoding, 1_000_000)
    assert caught.value.status == 413


@pytest.mark.parametrize("encoding", RESPONSE_ENCODINGS)
@pytest.mark.parametrize("broken", [b"not compressed at all", b""])
def test_broken_bodies_are_refused(encoding: str, broken: bytes) -> None:
    """Never half a body."""
    with pytest.raises(EngineError):
        decompress(broken, encoding, 1000)


def test_unknown_encodings_are_refused() -> None:
    """Instead of taking the packed bytes for SQL."""
    with pytest.raises(EngineError, match="Unknown Content-Encoding"):
        decompress(b"x", "br", 1000)
    assert decompress(b"x", "identity", 1000) == b"x"


def test_the_quickest_offered_encoding_wins() -> None:
    """Weights are ignored, unknown names too."""
    assert choose_encoding("gzip, deflate, br, zstd;q=0.1") == "zstd"
    assert choose_encoding("br") is None
    assert choose_encoding("") is None

"""Compressed request bodies and responses, as ClickHouse's HTTP interface takes and gives them."""

import zlib
from typing import Any, Final

import lz4.frame

from stream_jobs.store.embedded.bodies import too_large
from stream_jobs.store.embedded.errors import refusal

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore] # Python 3.14
except ImportError:
    from backports import zstd

RESPONSE_ENCODINGS: Final = ("lz4", "zstd", "gzip", "deflate")
"""In the order of our preference: the quickest first."""


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain request body. Raises EngineError for an unknown encoding, broken data, or more than `max_bytes`."""
    encoding = encoding.lower().strip()
    if encoding in ("", "identity"):
        return body
    try:
        if encoding in ("gzip", "x-gzip", "deflate"):
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
            plain = inflater.decompress(body, max_bytes + 1)
            complete = inflater.eof
        elif encoding in ("lz4", "zstd"):
            decompressor: Any = lz4.frame.LZ4FrameDecompressor() if encoding == "lz4" else zstd.ZstdDecompressor()
            plain = decompressor.decompress(body, max_length=max_bytes + 1)
            complete = decompressor.eof
        else:
            raise refusal(48, "NOT_IMPLEMENTED", f"Unknown Content-Encoding {encoding!r} (gzip, deflate, lz4, zstd)")
    except (zlib.error, RuntimeError, zstd.ZstdError) as error:
        raise refusal(354, "CANNOT_DECOMPRESS", f"The body is not valid {encoding}: {error}") from None
    if len(plain) > max_bytes:
        raise too_large(max_bytes)
    if not complete:
        raise refusal(354, "CANNOT_DECOMPRESS", f"The {encoding} body is cut off")
    return plain


def choose_encoding(accepted: str) -> str | None:
    """The response encoding for an Accept-Encoding header, or None for none."""
    offered = {item.partition(";")[0].strip().lower() for item in accepted.split(",")}
    return next((encoding for encoding in RESPONSE_ENCODINGS if encoding in offered), None)


class ResponseCompressor:
    """Compresses a response piece by piece."""

    def __init__(self, encoding: str) -> None:
        self._begin = b""
        if encoding == "lz4":
            self._compressor: Any = lz4.frame.LZ4FrameCompressor()
            self._begin = self._compressor.begin()
        elif encoding == "zstd":
            self._compressor = zstd.ZstdCompressor(level=1)
        else:
            self._compressor = zlib.compressobj(1, wbits=31 if encoding == "gzip" else zlib.MAX_WBITS)

    def add(self, piece: bytes) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + bytes(self._compressor.compress(piece))

    def finish(self) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + bytes(self._compressor.flush())

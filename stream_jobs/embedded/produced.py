"""What a produce request holds, looked at before the broker takes it.

Tansu stores the batches that it is sent as they are, and believes their headers. A batch whose last offset is before
its first makes the partition unreadable, for everybody and for good; one that says it has fewer records than it has
gets offsets that the next one gets too; one of an old format, or one that only brokers may write, stops consumers in
front of it. Kafka refuses all of them, and so does this. Which records are valid is not its business.
"""

import struct
from typing import Final

PRODUCE: Final = 0
_FIRST_VERSION, _FIRST_FLEXIBLE, _FIRST_WITH_IDS, _LAST_VERSION = 3, 9, 13, 13
_REQUEST: Final = struct.Struct(">hhi")  # api key, version, correlation id
_TOPIC_ID_BYTES: Final = 16
_ACKS_AND_TIMEOUT_BYTES: Final = 6
_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last timestamp, producer
id and epoch, sequence, number of records."""
_BEFORE_LENGTH_ENDS: Final = 12
_MAGIC: Final = 2
_CONTROL: Final = 0x20
_CODEC_BITS, _LAST_CODEC = 0x07, 4


class UnacceptableError(ValueError):
    """No broker would take it."""


def check(request: bytes) -> None:
    """A whole produce request, without its size. Raises UnacceptableError."""
    try:
        _check(request)
    except (struct.error, IndexError) as error:
        raise UnacceptableError(f"not a produce request: {error}") from None


def _check(request: bytes) -> None:
    _, version, _ = _REQUEST.unpack_from(request)
    if not _FIRST_VERSION <= version <= _LAST_VERSION:
        raise UnacceptableError(f"version {version} of produce requests")
    reader = _Reader(request, _REQUEST.size, flexible=version >= _FIRST_FLEXIBLE)
    reader.skip(reader.short_length())  # the client's id, in this form in all versions
    reader.tags()
    reader.skip(reader.length())  # the transaction's id
    reader.skip(_ACKS_AND_TIMEOUT_BYTES)
    for _ in range(reader.count()):
        reader.skip(_TOPIC_ID_BYTES if version >= _FIRST_WITH_IDS else reader.length())
        for _ in range(reader.count()):
            reader.skip(4)  # the partition
            size = reader.bytes_length()
            _check_batches(request, reader.at, reader.skip(size))
            reader.tags()
        reader.tags()
    reader.tags()
    if reader.at != len(request):
        raise UnacceptableError(f"{len(request) - reader.at} bytes behind the request")


def _check_batches(request: bytes, at: int, end: int) -> None:
    while at < end:
        _, length, _, magic, _, attributes, last_delta, *_, records = _BATCH.unpack_from(request, at)
        if magic != _MAGIC:
            raise UnacceptableError(f"a batch of format {magic}")
        following = at + _BEFORE_LENGTH_ENDS + length
        if not at + _BATCH.size <= following <= end:
            raise UnacceptableError(f"a batch of {length} bytes")
        if records < 1 or last_delta != records - 1:
            raise UnacceptableError(f"a batch of {records} records whose last one is number {last_delta}")
        if attributes & _CONTROL:
            raise UnacceptableError("a control batch, which only brokers write")
        if attributes & _CODEC_BITS > _LAST_CODEC:
            raise UnacceptableError(f"a batch of compression {attributes & _CODEC_BITS}")
        at = following


class _Reader:
    """Goes through a request's fields. Where one says that it is longer than the request, IndexError."""

    def __init__(self, request: bytes, at: int, *, flexible: bool) -> None:
        self._request = request
        self.at = at
        self._flexible = flexible

    def skip(self, length: int) -> int:
        """Returns where the next field begins."""
        if self.at + max(0, length) > len(self._request):
            raise IndexError(f"a field of {length} bytes")
        self.at += max(0, length)  # a field that is null has no bytes
        return self.at

    def short_length(self) -> int:
        return self._number(">h", 2)

    def length(self) -> int:
        """Of a text."""
        return self._varint() - 1 if self._flexible else self.short_length()

    def bytes_length(self) -> int:
        return self._varint() - 1 if self._flexible else self._number(">i", 4)

    def count(self) -> int:
        """Of an array; each of its elements is at least a byte."""
        found = self._varint() - 1 if self._flexible else self._number(">i", 4)
        if found > len(self._request):
            raise IndexError(f"an array of {found} elements")
        return found

    def tags(self) -> None:
        """Fields of later versions."""
        for _ in range(self._varint() if self._flexible else 0):
            self._varint()
            self.skip(self._varint())

    def _number(self, form: str, size: int) -> int:
        (found,) = struct.unpack_from(form, self._request, self.at)
        self.at += size
        return int(found)

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._request[self.at]
            self.at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7
            if shift > 28:
                raise IndexError("a number of more than five bytes")

"""Fields of Kafka's requests and answers: those of flexible versions are compact, and have tags behind them."""

import struct

Bytes = bytes | bytearray | memoryview


def text(value: bytes, *, flexible: bool) -> bytes:
    return (varint(len(value) + 1) if flexible else struct.pack(">h", len(value))) + value


def count(number: int, *, flexible: bool) -> bytes:
    return varint(number + 1) if flexible else struct.pack(">i", number)


def varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


class Reader:
    """Goes through a request's fields. Where one says that it is longer than the request, IndexError."""

    def __init__(self, request: Bytes, at: int, *, flexible: bool) -> None:
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
        return self.number(">h", 2)

    def length(self) -> int:
        """Of a text."""
        return self.varint() - 1 if self._flexible else self.short_length()

    def bytes_length(self) -> int:
        return self.varint() - 1 if self._flexible else self.number(">i", 4)

    def count(self) -> int:
        """Of an array; each of its elements is at least a byte."""
        found = self.varint() - 1 if self._flexible else self.number(">i", 4)
        if found > len(self._request):
            raise IndexError(f"an array of {found} elements")
        return found

    def tags(self) -> None:
        """Fields of later versions."""
        for _ in range(self.varint() if self._flexible else 0):
            self.varint()
            self.skip(self.varint())

    def number(self, form: str, size: int) -> int:
        (found,) = struct.unpack_from(form, self._request, self.at)
        self.at += size
        return int(found)

    def varint(self) -> int:
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

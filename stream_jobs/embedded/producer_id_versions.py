"""Asking for a producer id in the form of clients that know no newer one.

Tansu takes InitProducerId in versions 0 to 5, and gives an id in 3 to 5 only: before that it answers with an error
that clients do not try again (seen with 0.6). So idempotent producers of kafkajs, or of Sarama as it comes, end at
their start. The same question in version 3 has the same answer; only their forms differ.
"""

import struct
from typing import Final

INIT_PRODUCER_ID: Final = 22
MAX_QUESTION_BYTES: Final = 64 * 1024
_CLASSIC_VERSIONS: Final = (0, 1)
_FLEXIBLE_VERSION: Final = 2  # answered in the same form as 3
_NEWER: Final = 3
_HEADER: Final = struct.Struct(">hhih")  # api key, version, correlation id, length of the client id
_CLASSIC: Final = struct.Struct(">hi")  # no transaction; its timeout
_FLEXIBLE: Final = struct.Struct(">bbib")  # no tags, no transaction; its timeout; no tags
_NEWER_BODY: Final = struct.Struct(">bbiqhb")  # and no id yet, no epoch yet
_ANSWER: Final = struct.Struct(">ibihqhb")  # correlation id, no tags, throttle time, error, producer id, epoch, no tags
_HEADER_OF_ANSWER: Final = struct.Struct(">i")
_CLASSIC_ANSWER: Final = struct.Struct(">iihqh")


def newer(request: bytes) -> bytes | None:
    """The request, without its size, in version 3; None for one that goes to the broker as it is.

    That is one of a version that the broker answers, of a transaction, or not well formed.
    """
    try:
        _, version, correlation_id, length = _HEADER.unpack_from(request)
        body_at = _HEADER.size + max(0, length)
        if version in _CLASSIC_VERSIONS:
            transaction, timeout_ms = _CLASSIC.unpack(request[body_at:])
            plain = transaction == -1
        elif version == _FLEXIBLE_VERSION:
            header_tags, transaction, timeout_ms, tags = _FLEXIBLE.unpack(request[body_at:])
            plain = (header_tags, transaction, tags) == (0, 0, 0)
        else:
            return None
    except struct.error:
        return None
    if not plain:
        return None
    header = _HEADER.pack(INIT_PRODUCER_ID, _NEWER, correlation_id, length) + request[_HEADER.size : body_at]
    return header + _NEWER_BODY.pack(0, 0, timeout_ms, -1, -1, 0)


def older(answer: bytes) -> bytes:
    """The answer to version 3, without its size, in the form of versions 0 and 1. Raises ValueError when it is none."""
    try:
        correlation_id, _, throttle_ms, error, producer_id, epoch, _ = _ANSWER.unpack(answer)
    except struct.error as problem:
        raise ValueError(f"no answer to InitProducerId: {problem}") from None
    return _CLASSIC_ANSWER.pack(correlation_id, throttle_ms, error, producer_id, epoch)


class Questions:
    """Those of one connection, on their way to the broker and back. All without their sizes."""

    def __init__(self) -> None:
        self._classic: set[int] = set()

    def asked(self, request: bytes) -> bytes:
        """What the broker is to be asked in place of this request for an id."""
        made = newer(request)
        if made is None:
            return request
        _, version, correlation_id, _ = _HEADER.unpack_from(request)
        if version in _CLASSIC_VERSIONS:
            self._classic.add(correlation_id)
        return made

    def awaits(self, correlation_id: int) -> bool:
        """Whether the answer with this correlation id is for `answered`."""
        return correlation_id in self._classic

    def answered(self, answer: bytes) -> bytes:
        """What the client is to be told. Raises ValueError when the broker gave no answer to `asked`."""
        made = older(answer)
        self._classic.discard(_HEADER_OF_ANSWER.unpack_from(answer)[0])
        return made

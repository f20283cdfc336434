"""Asking for a producer id in the form of clients that know no newer one.

Tansu takes InitProducerId in versions 0 to 5, and gives an id in 3 to 5 only: before that it answers with an error
that clients do not try again (seen with 0.6). So idempotent producers of kafkajs, or of Sarama as it comes, end at
their start. The same question in version 3 has the same answer; only their forms differ. Transactions it does not do:
who asks for one is refused.
"""

import struct
from typing import Final

INIT_PRODUCER_ID: Final = 22
INVALID_REQUEST: Final = 42
TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Final = 53
"""What Kafka says to who may not have transactions: every client gives up, and says so."""
_CLASSIC_VERSIONS: Final = (0, 1)
_FLEXIBLE_VERSION: Final = 2  # answered in the same form as 3
_NEWER: Final = 3
_LAST_VERSION: Final = 5
_HEADER: Final = struct.Struct(">hhih")  # api key, version, correlation id, length of the client id
_CLASSIC: Final = struct.Struct(">hi")  # no transaction; its timeout
_FLEXIBLE: Final = struct.Struct(">bbib")  # no tags, no transaction; its timeout; no tags
_NEWER_BODY: Final = struct.Struct(">bbiqhb")  # and no id yet, no epoch yet
_ANSWER: Final = struct.Struct(">ibihqhb")  # correlation id, no tags, throttle time, error, producer id, epoch, no tags
_SHORT: Final = struct.Struct(">h")
_CLASSIC_ANSWER: Final = struct.Struct(">iihqh")


def newer(request: bytes) -> bytes | None:
    """The request, without its size, in version 3; None for one that goes to the broker as it is.

    That is one that the broker answers, of a transaction, or not well formed. Who names the id that it has gets another
    one, as from Kafka; Tansu answers with an error.
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
        else:  # of a version that is answered, but not to who has an id
            header_tags, transaction, timeout_ms, producer_id, epoch, tags = _NEWER_BODY.unpack(request[body_at:])
            plain = (header_tags, transaction, tags) == (0, 0, 0) and (producer_id, epoch) != (-1, -1)
    except struct.error:
        return None
    if not plain or version > _LAST_VERSION:
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


def correlation_id(request: bytes) -> int:
    """Of a request that one of the others here understood."""
    return int(_HEADER.unpack_from(request)[2])


def is_classic(request: bytes) -> bool:
    """Whether the client expects the form of versions 0 and 1."""
    return _HEADER.unpack_from(request)[1] in _CLASSIC_VERSIONS


def refused(request: bytes) -> bytes | None:
    """The answer, without its size, to a request for the id of a transaction; None for any other.

    Tansu gives an id, and forgets to tell consumers which of its records were taken back: they would be booked.
    """
    try:
        _, version, correlation, length = _HEADER.unpack_from(request)
        body_at = _HEADER.size + max(0, length)
        if version in _CLASSIC_VERSIONS:
            (name_bytes,) = _SHORT.unpack_from(request, body_at)
        elif _FLEXIBLE_VERSION <= version <= _LAST_VERSION:
            if request[body_at]:
                return _refusal(version, correlation, INVALID_REQUEST)  # tags that no client sends
            name_bytes = request[body_at + 1] - 1  # more than a byte's worth: its highest bit makes it large
        else:
            return None
    except (struct.error, IndexError):
        return None
    if name_bytes < 0:
        return None
    return _refusal(version, correlation, TRANSACTIONAL_ID_AUTHORIZATION_FAILED if name_bytes else INVALID_REQUEST)


def _refusal(version: int, correlation: int, error: int) -> bytes:
    if version in _CLASSIC_VERSIONS:
        return _CLASSIC_ANSWER.pack(correlation, 0, error, -1, -1)
    return _ANSWER.pack(correlation, 0, 0, error, -1, -1, 0)

"""What a produce request holds, looked at before the broker takes it.

Tansu stores the batches that it is sent as they are, believes their headers, and acknowledges what it has no place for.
A batch whose last offset is before its first makes the partition unreadable, for everybody and for good; one that says
it has fewer records than it has gets offsets that the next one gets too, or its last records are never seen; one of an
old format, or one that only brokers may write, stops consumers in front of it. Kafka refuses all of them, and so does
this, with the same error codes (seen with Kafka 4.1). Which records are valid is not its business, nor what is in a
compressed batch: the jobs quarantine what cannot be read of one (streams/batches.py).
"""

import struct
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from aiokafka.record.util import calc_crc32c

from stream_jobs.embedded.fields import Bytes, Reader, count, text

PRODUCE: Final = 0
_FIRST_VERSION, _FIRST_WITH_START, _FIRST_WITH_REASON, _FIRST_FLEXIBLE, _FIRST_WITH_IDS, _LAST_VERSION = (
    3,
    5,
    8,
    9,
    13,
    13,
)
_REQUEST: Final = struct.Struct(">hhi")  # api key, version, correlation id
_TOPIC_ID_BYTES: Final = 16
_ACKS: Final = struct.Struct(">hi")  # and the timeout
_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last timestamp, producer
id and epoch, sequence, number of records."""
_BEFORE_LENGTH_ENDS: Final = 12
_CHECKED_FROM: Final = 21  # what the checksum is of: from the attributes on
_CHECKSUM: Final = struct.Struct(">I")
_CHECKSUM_AT: Final = 17
_PRODUCER: Final = struct.Struct(">qh")  # its id and epoch
_PRODUCER_AT: Final = 43
_MAGIC: Final = 2
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
_CODEC_BITS, _LAST_CODEC = 0x07, 4
_LEAST_RECORD: Final = 6 << 1
"""As a record's length says it: attributes, two deltas, the lengths of key and value, the number of headers."""
MAX_PARTITIONS: Final = 10_000
"""Of one request. Topics of the embedded broker have one."""
_INTERNAL: Final = frozenset({b"__consumer_offsets", b"__transaction_state"})

UNKNOWN_SERVER_ERROR: Final = -1
CORRUPT_MESSAGE: Final = 2
UNKNOWN_TOPIC_OR_PARTITION: Final = 3
REQUEST_TIMED_OUT: Final = 7
INVALID_TOPIC: Final = 17
INVALID_REQUIRED_ACKS: Final = 21
INVALID_PRODUCER_EPOCH: Final = 47
TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Final = 53
INVALID_RECORD: Final = 87


class UnacceptableError(ValueError):
    """Nothing that can be answered. `kind` is the same for all of a kind."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class _RefusedError(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(slots=True)
class Partition:
    """What a request has for one partition, and the error that Kafka answers to that (0: none)."""

    topic: bytes  # its name, or its id in versions that have ids
    number: int
    code: int = 0
    reason: str = ""
    start: int = 0  # of its batch, in the request without its size
    end: int = 0
    producer_id: int = -1  # of its batch
    epoch: int = -1
    sequence: int = -1

    def refuse(self, code: int, reason: str) -> None:
        """The last word counts: Kafka asks about the place before it looks at what is sent there."""
        self.code, self.reason = code, reason


@dataclass(slots=True)
class Produced:
    """A whole produce request. It is taken as a whole or not at all."""

    version: int
    correlation_id: int
    acks: int
    partitions: list[Partition]

    @property
    def named(self) -> bool:
        """Whether its topics have names, not ids."""
        return self.version < _FIRST_WITH_IDS

    def refused(self) -> Partition | None:
        """The first that is, if any is."""
        return next((partition for partition in self.partitions if partition.code), None)

    @property
    def placed(self) -> list[Partition]:
        """Those whose place is the broker's to know: by name, and not of a topic that only brokers write."""
        return [partition for partition in self.partitions if self.named and partition.topic not in _INTERNAL]

    def answer(self) -> bytes:
        """The broker's, without its size, when some of it is refused: what is not is to be sent again."""
        flexible = self.version >= _FIRST_FLEXIBLE
        tags = b"\0" if flexible else b""
        topics = [list(each) for _, each in groupby(self.partitions, lambda partition: partition.topic)]
        made = [struct.pack(">i", self.correlation_id), tags, count(len(topics), flexible=flexible)]
        for topic in topics:
            name = topic[0].topic
            made += [text(name, flexible=flexible) if self.named else name, count(len(topic), flexible=flexible)]
            for partition in topic:
                made.append(struct.pack(">ihqq", partition.number, partition.code or REQUEST_TIMED_OUT, -1, -1))
                if self.version >= _FIRST_WITH_START:
                    made.append(struct.pack(">q", -1))
                if self.version >= _FIRST_WITH_REASON:
                    reason = (partition.reason or "sent together with what was refused").encode()
                    made += [count(0, flexible=flexible), text(reason, flexible=flexible)]
                made.append(tags)
            made.append(tags)
        made += [struct.pack(">i", 0), tags]
        return b"".join(made)


def look_at(request: Bytes) -> Produced:
    """A whole produce request, without its size. Raises UnacceptableError."""
    try:
        return _look_at(request)
    except (struct.error, IndexError) as error:
        raise UnacceptableError(f"not a produce request: {error}", "not a produce request") from None


def as_of(producer_id: int, partition: Partition, request: memoryview) -> None:
    """Makes the partition's batch one of this producer, in its first epoch."""
    batch = request[partition.start : partition.end]
    _PRODUCER.pack_into(batch, _PRODUCER_AT, producer_id, 0)
    _CHECKSUM.pack_into(batch, _CHECKSUM_AT, calc_crc32c(batch[_CHECKED_FROM:]))


def _look_at(request: Bytes) -> Produced:
    _, version, correlation_id = _REQUEST.unpack_from(request)
    if not _FIRST_VERSION <= version <= _LAST_VERSION:
        old = "; it needs a client for Kafka 0.11 or newer" if version < _FIRST_VERSION else ""
        raise UnacceptableError(f"version {version} of produce requests{old}", "version")
    reader = Reader(request, _REQUEST.size, flexible=version >= _FIRST_FLEXIBLE)
    reader.skip(reader.short_length())  # the client's id, in this form in all versions
    reader.tags()
    reader.skip(reader.length())  # the transaction's id
    acks, _ = _ACKS.unpack_from(request, reader.at)
    reader.skip(_ACKS.size)
    found = Produced(version, correlation_id, acks, [])
    for _ in range(reader.count()):
        length = reader.length() if found.named else _TOPIC_ID_BYTES
        topic = bytes(request[reader.at : reader.skip(length)])
        for _ in range(reader.count()):
            if len(found.partitions) == MAX_PARTITIONS:
                raise UnacceptableError(f"a request for more than {MAX_PARTITIONS} partitions", "partitions")
            found.partitions.append(_partition(request, reader, topic))
            reader.tags()
        reader.tags()
    reader.tags()
    if reader.at != len(request):
        raise UnacceptableError(f"{len(request) - reader.at} bytes behind the request", "bytes behind")
    for partition in found.partitions:
        if acks not in (-1, 0, 1):
            partition.refuse(INVALID_REQUIRED_ACKS, f"acks {acks}")
    return found


def _partition(request: Bytes, reader: Reader, topic: bytes) -> Partition:
    (number,) = struct.unpack_from(">i", request, reader.at)
    reader.skip(4)
    partition = Partition(topic, number)
    length = reader.bytes_length()
    partition.start = start = reader.at
    partition.end = end = reader.skip(length)
    try:
        partition.producer_id, partition.epoch, partition.sequence = _check_batch(request, start, end)
    except _RefusedError as error:
        partition.refuse(error.code, str(error))
    if topic in _INTERNAL:
        partition.refuse(INVALID_TOPIC, "a topic that only brokers write")
    return partition


def _check_batch(request: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Producer id, epoch and sequence of the one batch that is there."""
    if end - at < _BATCH.size:
        raise _RefusedError(INVALID_RECORD, f"{end - at} bytes in place of a batch")
    header = _BATCH.unpack_from(request, at)
    _, length, _, magic, checksum, attributes, last_delta, _, _, producer_id, epoch, sequence, records = header
    if magic != _MAGIC:
        code = INVALID_RECORD if magic in (0, 1) else CORRUPT_MESSAGE
        raise _RefusedError(code, f"a batch of format {magic}")
    following = at + _BEFORE_LENGTH_ENDS + length
    if not at + _BATCH.size <= following <= end:
        raise _RefusedError(INVALID_RECORD, f"a batch of {length} bytes")
    if following != end:
        raise _RefusedError(INVALID_RECORD, f"{end - following} bytes behind the only batch that a partition may have")
    if calc_crc32c(memoryview(request)[at + _CHECKED_FROM : following]) != checksum:
        raise _RefusedError(CORRUPT_MESSAGE, "a batch whose checksum is wrong")
    if attributes & _TRANSACTIONAL:
        raise _RefusedError(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "a transaction, which the embedded broker has not")
    if records < 1 or last_delta != records - 1:
        raise _RefusedError(INVALID_RECORD, f"a batch of {records} records whose last one is number {last_delta}")
    if attributes & _CONTROL:
        raise _RefusedError(INVALID_RECORD, "a control batch, which only brokers write")
    if producer_id >= 0 > sequence:
        raise _RefusedError(INVALID_RECORD, f"a batch of producer {producer_id} with sequence {sequence}")
    if attributes & _CODEC_BITS > _LAST_CODEC:
        raise _RefusedError(UNKNOWN_SERVER_ERROR, f"a batch of compression {attributes & _CODEC_BITS}")
    if not attributes & _CODEC_BITS:
        _check_records(request, at + _BATCH.size, following, records)
    return producer_id, epoch, sequence


def _check_records(request: Bytes, at: int, end: int, records: int) -> None:
    """That there are as many as the batch says, each as long as it says. A length is a zigzag varint."""
    found, least = 0, _LEAST_RECORD
    while at < end and found < records:
        length = byte = request[at]
        at += 1
        shift = 7
        while byte > 0x7F:
            if at == end or shift > 28:
                raise _RefusedError(INVALID_RECORD, "a record without a length")
            byte = request[at]
            at += 1
            length += byte - 1 << shift  # without the bit of the byte before that says there is this one
            shift += 7
        if length & 1 or length < least:
            size = -(length + 1 >> 1) if length & 1 else length >> 1
            raise _RefusedError(INVALID_RECORD, f"a record of {size} bytes")
        at += length >> 1
        found += 1
    if at != end or found != records:
        raise _RefusedError(INVALID_RECORD, f"a batch of {records} records that holds others")

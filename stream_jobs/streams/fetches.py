"""What one fetch hands over, and how much: bounded in bytes, not only in records, which may have a hundred bytes or a
million.

aiokafka counts records alone: 4,000 of 64 KiB are a quarter of a gigabyte, several times over on their way to a queue.
What is left of a fetch comes with the next one. See also batches.py.
"""

import threading
from collections.abc import Sequence, Set
from typing import Any, Final

from aiokafka.consumer import fetcher

from spendstream_schemas.signature import MAX_SIGNATURE_BYTES, SIGNATURE_HEADER
from stream_jobs.streams.model import SourceRecord

MAX_POLL_BYTES: Final = 4 * 1024 * 1024
"""Of keys and values of all partitions, unpacked; one record more, as one may be larger."""


NO_TIMESTAMP: Final = -1
_record: Final = tuple.__new__  # what a named tuple's own does, without a call of Python


class _Poll(threading.local):
    """Of this thread: each consumer has a thread of its own."""

    left: int | None = None  # what may still be handed over; no bound
    event_topics: Set[str] = frozenset()


_poll = _Poll()


def begin_poll(event_topics: Set[str] = frozenset()) -> None:
    """What this thread is handed from now on counts anew. Of `event_topics` it is handed `SourceRecord`s."""
    _poll.left = MAX_POLL_BYTES
    _poll.event_topics = event_topics


def source_record(_: object, record: Any) -> SourceRecord:
    """What is booked of a record, as it was unpacked."""
    timestamp, headers = record.timestamp, record.headers
    known = None if timestamp == NO_TIMESTAMP else timestamp
    signature = _signature(headers) if headers else None
    return _record(SourceRecord, (record.offset, known, record.key, record.value, signature))


def _signature(headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """The value of the last header of that name, as Kafka's clients read headers. Of a longer one than a signature can
    be the beginning, which is none."""
    for name, value in reversed(headers):
        if name == SIGNATURE_HEADER:
            return bytes(value[: MAX_SIGNATURE_BYTES + 1]) if value is not None else b""
    return None


class BoundedFetch(fetcher.FetchResult):  # type: ignore[misc]
    """What aiokafka fetched of one partition."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        if _poll.left is None:
            return list(super().getall(max_records))
        if _poll.left <= 0 or not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        if self._topic_partition.topic in _poll.event_topics:
            # Instead of a record of aiokafka's, of which nobody would look at more: that takes longer to make.
            self._partition_records._consumer_record = source_record
        records, left = [], _poll.left
        for record in self._partition_records:
            records.append(record)
            left -= len(record.value or b"") + len(record.key or b"")
            if left <= 0 or len(records) == max_records:
                self._update_position()
                break
        else:
            self._update_position()
            self._partition_records = None
        _poll.left = left
        return records


def hand_over_bounded() -> None:
    """From now on, in the whole process; who never calls `begin_poll` notices nothing."""
    fetcher.FetchResult = BoundedFetch

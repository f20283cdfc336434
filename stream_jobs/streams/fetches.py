"""How much one fetch hands over: bounded in bytes, not only in records, which may have a hundred bytes or a million.

aiokafka counts records alone: 4,000 of 64 KiB are a quarter of a gigabyte, several times over on their way to a queue.
What is left of a fetch comes with the next one. See also batches.py.
"""

import threading
from typing import Any, Final

from aiokafka.consumer import fetcher

MAX_POLL_BYTES: Final = 4 * 1024 * 1024
"""Of keys and values of all partitions, unpacked; one record more, as one may be larger."""


class _Poll(threading.local):
    """What may still be handed over. Each consumer has a thread of its own."""

    left: int | None = None  # no bound


_poll = _Poll()


def begin_poll() -> None:
    """What this thread is handed from now on counts anew."""
    _poll.left = MAX_POLL_BYTES


class BoundedFetch(fetcher.FetchResult):  # type: ignore[misc]
    """What aiokafka fetched of one partition."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        if _poll.left is None:
            return list(super().getall(max_records))
        if _poll.left <= 0 or not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        records, left = [], _poll.left
        for record in self._partition_records:
            records.append(record)
            left -= record.serialized_value_size + record.serialized_key_size  # -1: none
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

"""The records that wait to be booked, held as the bundles they came in: a queue for each partition, room for all."""

import asyncio
from collections import deque
from itertools import accumulate

from stream_jobs.streams.model import SourceRecord


class Room:
    """What may wait in all queues together. One partition may fill it, so that its block is a large one.

    Whoever adds to a queue asks first; a bundle is added whole, so there may be one more than fits. Not for threads.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.records = 0
        self.bytes = 0
        self.queues = 0
        self._turns = 0
        self.changed = asyncio.Condition()  # for who waits for room

    @property
    def full(self) -> bool:
        return self.records >= self.max_records or self.bytes >= self.max_bytes

    @property
    def left(self) -> int:
        """How many records more, if they are of the size of those that wait."""
        return min(self.max_records - self.records, self.fitting(self.max_bytes - self.bytes))

    def fitting(self, size: int) -> int:
        """How many records of the size of those that wait have so many bytes."""
        return size * self.records // self.bytes if self.bytes and self.records else self.max_records

    def turn(self) -> int:
        """The number of a turn that begins."""
        self._turns += 1
        return self._turns

    def count(self, records: int, size: int) -> None:
        self.records += records
        self.bytes += size


class RecordQueue:
    """Records in offset order. Costs a few operations per bundle, not per record."""

    def __init__(self, next_offset: int, room: Room) -> None:
        self.end = next_offset  # offset after the last record that was ever queued
        self.records = 0
        self.bytes = 0
        self._room = room
        self._room.queues += 1
        self._open = True
        self._bundles: deque[tuple[list[SourceRecord], int]] = deque()  # with their bytes

    def add(self, records: list[SourceRecord]) -> None:
        """What was queued before (a re-read) is skipped."""
        if records and records[0].offset < self.end:
            records = [record for record in records if record.offset >= self.end]
        if records:
            self._push(records, last=True)
            self.end = records[-1].offset + 1

    def take(self, max_rows: int, max_bytes: int) -> list[SourceRecord]:
        """The first records, up to both bounds; one at least if there is one."""
        taken: list[SourceRecord] = []
        size = 0
        while self._bundles and len(taken) < max_rows:
            bundle, bundle_bytes = self._pop()
            if len(taken) + len(bundle) > max_rows or size + bundle_bytes > max_bytes:
                count = _fitting(bundle, max_rows - len(taken), max_bytes - size)
                count = count or (0 if taken else 1)
                taken += bundle[:count]
                self._push(bundle[count:], last=False)
                break
            taken += bundle
            size += bundle_bytes
        return taken

    def take_to(self, last_offset: int) -> list[SourceRecord]:
        """Everything up to this offset."""
        taken: list[SourceRecord] = []
        while self._bundles and self._bundles[0][0][0].offset <= last_offset:
            bundle, _ = self._pop()
            inside = [record for record in bundle if record.offset <= last_offset]
            taken += inside
            self._push(bundle[len(inside) :], last=False)
        return taken

    def close(self) -> None:
        """Drop what waits: the room is for others. May be called twice."""
        while self._bundles:
            self._pop()
        if self._open:
            self._open = False
            self._room.queues -= 1

    def _pop(self) -> tuple[list[SourceRecord], int]:
        bundle, size = self._bundles.popleft()
        self._count(-len(bundle), -size)
        return bundle, size

    def _count(self, records: int, size: int) -> None:
        self.records += records
        self.bytes += size
        self._room.count(records, size)

    def _push(self, records: list[SourceRecord], *, last: bool) -> None:
        if not records:
            return
        size = sum(map(_size, records))
        self._count(len(records), size)
        (self._bundles.append if last else self._bundles.appendleft)((records, size))


def _fitting(records: list[SourceRecord], max_rows: int, max_bytes: int) -> int:
    """How many records from the beginning stay within both bounds."""
    sizes = accumulate(map(_size, records[:max_rows]))
    return sum(1 for size in sizes if size <= max_bytes)


def _size(record: SourceRecord) -> int:
    return len(record.value or b"") + len(record.key or b"")

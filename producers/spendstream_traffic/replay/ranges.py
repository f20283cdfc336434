"""Which offsets our own records got: ranges per partition, small however many records there are."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

Range = tuple[int, int]  # first and last offset, both inclusive

ERA: Final = 1_000_000
"""A topic that is made anew while we send begins at offset 0 again. What is sent to its n-th incarnation counts as
partition n * ERA + partition."""


@dataclass(frozen=True, slots=True)
class SentRanges:
    """A finished set of offsets of one topic. Ranges of a partition are ascending and do not touch."""

    topic: str
    partitions: Mapping[int, tuple[Range, ...]]

    @property
    def count(self) -> int:
        return sum(last - first + 1 for ranges in self.partitions.values() for first, last in ranges)

    def count_before(self, ends: Mapping[int, int]) -> int:
        """How many of the offsets lie before the given end (exclusive) of their partition."""
        return sum(
            max(0, min(last + 1, ends.get(partition, 0)) - first)
            for partition, ranges in self.partitions.items()
            for first, last in ranges
        )


class OffsetLog:
    """Collects delivered offsets; any thread may add. A record delivered twice at the same offset counts once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ranges: dict[int, list[list[int]]] = {}
        self.added = 0

    def add(self, partition: int, offset: int) -> None:
        with self._lock:
            self.added += 1
            ranges = self._ranges.setdefault(partition, [])
            if ranges and ranges[-1][1] + 1 == offset:
                ranges[-1][1] = offset
            else:
                ranges.append([offset, offset])

    def sent(self, topic: str) -> SentRanges:
        """What was added so far."""
        with self._lock:
            copies = {
                partition: [(first, last) for first, last in ranges] for partition, ranges in self._ranges.items()
            }
        return SentRanges(topic, {partition: tuple(merge(copies[partition])) for partition in sorted(copies)})


def merge(ranges: Iterable[Range]) -> Iterator[Range]:
    """The same offsets as ascending ranges that neither overlap nor touch."""
    current: Range | None = None
    for first, last in sorted(ranges):
        if current is None:
            current = (first, last)
        elif first <= current[1] + 1:
            current = (current[0], max(current[1], last))
        else:
            yield current
            current = (first, last)
    if current is not None:
        yield current

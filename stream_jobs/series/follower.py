"""Follows the deltas: which of them are new, whole and without a gap.

The blocks of a partition are booked one after the other, each at a later instant. So one instant per partition (the
vector) says which blocks are counted, and a delta counts if it is later: it may come any number of times. Whatever was
lost on the way is read from the ledger. Knows neither Kafka nor what is counted. Used by one thread.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa

from stream_jobs.base.instants import EPOCH
from stream_jobs.runtime.refused import pass_over
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.series.delta import Delta, InvalidDeltaError, Origin, decode
from stream_jobs.series.facts import Facts
from stream_jobs.series.sums import LedgerSums, Vector
from stream_jobs.streams.model import SourceRecord

log = logging.getLogger(__name__)

MAX_STRANGERS: Final = 500
MAX_WAITING_ROWS: Final = 200_000
"""Of deltas whose other parts have not come yet."""
AHEAD: Final = timedelta(minutes=1)
LONGEST_UNHEARD: Final = timedelta(hours=1)
"""That a new partition may book before anybody hears of it."""


class Follower:
    """See the module."""

    def __init__(self, sums: LedgerSums, vector: Vector, now: datetime) -> None:
        """`vector`: the blocks that are counted at the beginning. Raises StoreUnavailableError."""
        self.reads: frozenset[str] = frozenset()  # what deltas must tell; see SeriesSpec.reads
        self.vector: dict[Origin, datetime] = dict(vector)
        self.horizon = sums.latest(now)  # no entry that is counted is later; in microseconds since 1970
        self.missed_since: datetime | None = None
        """What was booked since then may not have come as a delta: known to who counts only where it read the ledger.
        Whoever takes that up sets it to None."""
        self.gap = False  # a delta was lost on the way: `resync` is needed
        self.untold: dict[str, datetime] = {}
        """What of `reads` deltas did not tell, and since when: blocks booked after that are counted, but not by it.
        Whoever takes that up, by reading the ledger, clears it."""
        self._sums = sums
        self.next_offset: dict[Origin, int] = {}
        """Of origins that a new delta was taken of: the one that the next block begins with."""
        self._strangers: set[Origin] = set()  # that deltas told of, and the ledger has not yet
        self._parts: dict[tuple[Origin, datetime], dict[int, Delta]] = {}

    def take(self, deltas: Sequence[Delta]) -> tuple[int, Facts | None]:
        """How many new blocks these are the deltas of, and their rows. They are part of every sum from here on."""
        tables: list[pa.Table] = []
        blocks = 0
        for delta in deltas:
            parts = self._complete(delta) if self._is_new(delta) else []
            if parts:
                tables += [part.rows for part in parts]
                if not all(part.tells(self.reads) for part in parts):
                    self._untold(parts)
                self._count(delta)
                blocks += 1
        if not tables:
            return 0, None
        facts = Facts(pa.concat_tables(tables, promote_options="default"))
        self.horizon = max(self.horizon, int(facts.minutes.max(initial=0)))
        return blocks, facts

    def is_behind(self, seen: Vector) -> bool:
        """Whether there are blocks in `seen` that are not counted yet."""
        return any(at > self.vector.get(origin, EPOCH) for origin, at in seen.items())

    @contextmanager
    def resync(self, now: datetime) -> Iterator[None]:
        """Go on from what is in the ledger now: within this, everything is read anew from it, up to `vector`. When
        that fails, `gap` says that it has to be repeated. Raises StoreUnavailableError."""
        self.gap = True  # until all of it is read: what is in the vector is not counted any more
        latest = self._sums.vector()
        self.horizon = max(self.horizon, self._sums.latest(now))
        for origin, booked_at in latest.items():
            if booked_at > self.vector.get(origin, EPOCH):
                self._missed(origin, booked_at)
            self.vector[origin] = max(booked_at, self.vector.get(origin, booked_at))
        yield
        self.gap = False

    def confirm(self, seen: Vector) -> None:
        """These origins have booked something in the ledger."""
        self._strangers -= seen.keys()

    def _last_counted(self, origin: Origin, until: datetime) -> datetime:
        return self.vector.get(origin, until - LONGEST_UNHEARD)

    def _untold(self, parts: Sequence[Delta]) -> None:
        since = self._last_counted(parts[0].origin, parts[0].booked_at)
        for name in self.reads:
            if not all(part.tells((name,)) for part in parts):
                self.untold[name] = min(since, self.untold.get(name, since))

    def _missed(self, origin: Origin, until: datetime) -> None:
        """Blocks after the last one that was counted of the origin."""
        since = self._last_counted(origin, until)
        self.missed_since = since if self.missed_since is None else min(self.missed_since, since)

    def _count(self, delta: Delta) -> None:
        expected = self.next_offset.get(delta.origin, delta.first_offset)
        if delta.origin not in self.next_offset:  # nothing tells whether one was lost before it
            self._missed(delta.origin, delta.booked_at)
        if delta.first_offset > expected:
            log.warning("the deltas of %s from %d on are missing: reading the ledger", delta.origin, expected)
            self.gap = True
            self._missed(delta.origin, delta.booked_at)
        self.next_offset[delta.origin] = delta.last_offset + 1
        self.vector[delta.origin] = delta.booked_at

    def _is_new(self, delta: Delta) -> bool:
        known = self.vector.get(delta.origin)
        if known is not None:
            return delta.booked_at > known
        # Every question to the ledger names all origins: who can write deltas must not make it as long as they like.
        # One that is real is in the ledger, and taken up from there.
        if len(self._strangers) >= MAX_STRANGERS:
            return False
        self._strangers.add(delta.origin)
        return True

    def _complete(self, delta: Delta) -> list[Delta]:
        """All parts of the delta once they are together."""
        key = (delta.origin, delta.booked_at)
        parts = self._parts.setdefault(key, {})
        parts[delta.part] = delta
        while (
            len(self._parts) > 1
            and sum(one.rows.num_rows for some in self._parts.values() for one in some.values()) > MAX_WAITING_ROWS
        ):
            del self._parts[next(one for one in self._parts if one != key)]  # `is_behind` finds what that was
        if len(parts) < delta.parts:
            return []
        for other in [other for other in self._parts if other[0] == delta.origin and other[1] <= delta.booked_at]:
            del self._parts[other]
        return [parts[part] for part in sorted(parts)]


def deltas_of(records: Iterable[SourceRecord], now: datetime) -> tuple[list[Delta], int]:
    """What records of `cost.deltas.v1` hold, and how many are passed over: what those should have said is in the
    ledger, and comparing finds that it is missing. `now`: by the store's clock, which is what blocks are booked by."""
    found = []
    refused = 0
    for record in records:
        try:
            delta = decode(record.value or b"")
            if delta.booked_at > now + AHEAD:
                # Taken for true it would make every block that is really booked until then an old one.
                raise InvalidDeltaError(f"booked at {delta.booked_at}, which is ahead of the store's clock")
        except InvalidDeltaError as error:
            pass_over(COST_DELTAS, 0, record.offset, record.value, error)
            refused += 1
        else:
            found.append(delta)
    return found, refused

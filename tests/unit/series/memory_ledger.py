"""A ledger in memory: what a reader of deltas asks ClickHouse, answered by plain addition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from spendstream_schemas.scope import in_scope
from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.base.money import PICO_PER_USD, usd_from_pico
from stream_jobs.series.counters import Loaded
from stream_jobs.series.delta import COSTS, SCHEMA, Delta, Origin
from stream_jobs.series.facts import Cells, Sums, Values
from stream_jobs.series.measures import DIMENSIONS, MEASURES
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import LedgerSums, Vector

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
ORIGINS = (Origin("topic", 0), Origin("topic", 1))


@dataclass(frozen=True)
class Entry:
    """One row of the ledger. `origin` is None for what a correction posted."""

    at: datetime
    pico: int
    unpriced: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = None
    booked_at: datetime | None = None
    held: int = 0  # pico-USD; without it, what has no price is of a model that nobody knows

    @property
    def sums(self) -> Sums:
        return Sums(self.pico, self.unpriced, self.held, 0 if self.held else self.unpriced)


def rows_of(entries: Sequence[Entry]) -> pa.Table:
    """The rows of a delta of these entries, one each."""
    return pa.Table.from_pylist(
        [
            {
                "minute": entry.at.replace(second=0, microsecond=0),
                **dict.fromkeys(DIMENSIONS, ""),
                **dict.fromkeys(MEASURES, 0),
                **entry.facts,
                **dict.fromkeys(COSTS, usd_from_pico(entry.pico)),
                "events": 1,
                "unpriced": entry.unpriced,
                "held_cost": usd_from_pico(entry.held),
                "held_flat": entry.sums.flat,
            }
            for entry in entries
        ],
        schema=SCHEMA,
    )


class MemoryLedger(LedgerSums):
    """`down`: so many questions from now on are not answered; `down_after`: so many are, and then one is not."""

    def __init__(self, now: datetime) -> None:
        self.entries: list[Entry] = []
        self.runs = 0
        self.asked = 0
        self.down = 0
        self.down_after: int | None = None
        self._instant = now
        self._next_offset = dict.fromkeys(ORIGINS, 0)

    # -- what is booked

    def _next(self, now: datetime) -> datetime:
        self._instant = max(now, self._instant + timedelta(microseconds=1))
        return self._instant

    def book(self, now: datetime, *entries: Entry, partition: int = 0) -> Delta:
        """One block; returns its delta."""
        origin, booked_at = ORIGINS[partition], self._next(now)
        self.entries += [replace(e, origin=origin, booked_at=booked_at) for e in entries]
        first = self._next_offset[origin]
        self._next_offset[origin] = first + len(entries) + 1
        return Delta(origin, booked_at, first, first + len(entries), rows_of(entries))

    def correct(self, now: datetime, *entries: Entry) -> None:
        booked_at = self._next(now)
        self.entries += [replace(e, origin=None, booked_at=booked_at) for e in entries]
        self.runs += 1

    # -- what is asked

    def _answer(self) -> None:
        self.asked += 1
        if self.down_after is not None:
            self.down_after -= 1
            if self.down_after < 0:
                self.down_after = None
                raise StoreUnavailableError("away")
        if self.down:
            self.down -= 1
            raise StoreUnavailableError("away")

    def vector(self, since: datetime | None = None) -> dict[Origin, datetime]:
        self._answer()
        found: dict[Origin, datetime] = {}
        for entry in self.entries:
            if entry.origin is not None and entry.booked_at is not None and entry.booked_at > (since or NEVER):
                found[entry.origin] = max(entry.booked_at, found.get(entry.origin, entry.booked_at))
        return found

    def latest(self, now: datetime) -> int:
        self._answer()
        return max(unix_micros(now), *(unix_micros(entry.at) for entry in self.entries), 0)

    def corrections(self) -> tuple[object, ...]:
        self._answer()
        return (self.runs,)

    def sums(self, spec: SeriesSpec, cells: Sequence[tuple[int, int]], vector: Vector) -> Loaded:
        self._answer()
        loaded = Loaded()
        for start, end in cells:
            for entry in self.entries:
                if not from_unix_micros(start) <= entry.at < from_unix_micros(end):
                    continue
                if entry.origin is None:
                    self._put(loaded.corrections, start, spec, entry)
                elif entry.booked_at is not None and entry.booked_at <= vector.get(entry.origin, NEVER):
                    self._put(loaded.blocks, start, spec, entry)
        return loaded

    @staticmethod
    def _put(cells: Cells, cell: int, spec: SeriesSpec, entry: Entry) -> None:
        values = values_of(spec, entry)
        if values is not None:
            sums = cells.setdefault(cell, {})
            sums[values] = sums.get(values, Sums()).plus(entry.sums)

    def total(self, spec: SeriesSpec, start: datetime, end: datetime, values: Values) -> Sums:
        """Of everything that is booked."""
        total = Sums()
        for entry in self.entries:
            if start <= entry.at < end and values_of(spec, entry) == values:
                total = total.plus(entry.sums)
        return total


def values_of(spec: SeriesSpec, entry: Entry) -> Values | None:
    """The values that the entry counts for; None when it is of no series."""
    values = tuple(entry.facts.get(name, "") for name in spec.per)
    return values if in_scope(spec.scope, entry.facts) and "" not in values else None


def usd(amount: str | int) -> int:
    """In pico-USD."""
    return int(Decimal(amount) * PICO_PER_USD)

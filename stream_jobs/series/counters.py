"""What a series adds up to, by period and values. The ledger is the truth; this is its sum, kept up to date.

A cell is a period, or one step of a rolling window. Cells are loaded from the ledger when they are first needed, and
then follow it: what blocks add comes with their deltas, and what corrections (re-pricing, re-attribution,
reconciliation) have added in all is read from the ledger anew whenever they have changed. The two are kept apart, so
that either can be compared with the ledger at any time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.series.calendar import Period, Window
from stream_jobs.series.facts import Cells, Facts, Ints, Sums, Values
from stream_jobs.series.spec import SeriesSpec

NOTHING: Final = Sums()


@dataclass(slots=True)
class Loaded:
    """The ledger's sums of some cells; a cell without any entry is empty, not absent."""

    blocks: Cells = field(default_factory=dict)
    corrections: Cells = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch changed, and which cells it belongs to that are not loaded."""

    changed: set[tuple[int, Values]]
    missing: set[int]


class Counters:
    """See the module. Used by one thread."""

    def __init__(self, spec: SeriesSpec) -> None:
        self.spec = spec
        self.calendar = spec.calendar
        self.rolling = isinstance(spec.calendar, Window)
        self._blocks: Cells = {}
        self._corrections: Cells = {}
        self._window: dict[Values, Sums] = {}  # of a rolling window: the totals of all loaded cells

    # -- which cells there are

    @property
    def cells(self) -> list[int]:
        """The starts of the loaded cells, rising."""
        return sorted(self._blocks)

    def end_of(self, cell: int) -> int:
        """Where a loaded cell ends."""
        period = self.cell_of(from_unix_micros(cell))
        assert period is not None  # it would not have been loaded
        return unix_micros(period.end)

    def cell_of(self, instant: datetime) -> Period | None:
        """The period, or the window's step, that holds the instant."""
        if isinstance(self.calendar, Window):
            start = self.calendar.step_start(instant)
            return Period(start, start + self.calendar.step)
        return self.calendar.period_at(instant)

    def cells_of(self, period: Period) -> list[int]:
        """The cells that a period consists of."""
        if not isinstance(self.calendar, Window):
            return [unix_micros(period.start)]
        step = self.calendar.step // timedelta(microseconds=1)
        return list(range(unix_micros(period.start), unix_micros(period.end), step))

    def is_loaded(self, cell: int) -> bool:
        return cell in self._blocks

    def load(self, cells: Iterable[int], loaded: Loaded) -> None:
        """These cells from now on follow the ledger from this state on."""
        for cell in cells:
            self._blocks[cell] = loaded.blocks.get(cell, {})
            self._corrections[cell] = loaded.corrections.get(cell, {})
        self._add_up_window()

    def forget(self, before: datetime) -> set[Values]:
        """Drop the cells that end by then: they are loaded again when something late comes for them, and no longer
        part of a rolling window. Returns the values that had something in them."""
        bound = unix_micros(before)
        gone: set[Values] = set()
        for cell in [cell for cell in self._blocks if cell < bound and self.end_of(cell) <= bound]:
            for part in (self._blocks, self._corrections):
                for values, sums in part.pop(cell).items():
                    self._in_window(values, sums.opposite())
                    gone.add(values)
        return gone

    def _in_window(self, values: Values, sums: Sums) -> None:
        if self.rolling:
            total = self._window.get(values, NOTHING).plus(sums)
            if total == NOTHING:
                self._window.pop(values, None)
            else:
                self._window[values] = total

    def _add_up_window(self) -> None:
        self._window.clear()
        if self.rolling:
            for part in (self._blocks, self._corrections):
                for by_values in part.values():
                    for values, sums in by_values.items():
                        self._in_window(values, sums)

    # -- what changes them

    def add(self, facts: Facts) -> Touched:
        """What blocks have added. Rows of cells that are not loaded change nothing: those must be loaded afterwards."""
        spec = self.spec
        rows = facts.matching(spec.scope, spec.per)
        if not len(rows):
            return Touched(set(), set())
        starts = self._starts(facts.minutes[rows])
        inside = starts >= 0
        added = facts.sums(rows[inside], starts[inside], spec.per, spec.measure) if inside.any() else {}
        changed, missing = set(), set()
        for cell, by_values in added.items():
            held = self._blocks.get(cell)
            if held is None:
                missing.add(cell)
                continue
            for values, sums in by_values.items():
                held[values] = held.get(values, NOTHING).plus(sums)
                self._in_window(values, sums)
                changed.add((cell, values))
        return Touched(changed, missing)

    def _starts(self, minutes: Ints) -> Ints:
        """The start of each minute's cell; -1 outside of the calendar, and before 1970."""
        distinct, of_row = np.unique(minutes, return_inverse=True)
        starts = np.full(len(distinct), -1, np.int64)
        at = int(np.searchsorted(distinct, 0))
        while at < len(distinct):  # only cells that hold something: an event may be as old as its sender's clock says
            cell = self.cell_of(from_unix_micros(int(distinct[at])))
            end = at + 1
            if cell is not None:
                end = int(np.searchsorted(distinct, unix_micros(cell.end)))
                starts[at:end] = unix_micros(cell.start)
            at = end
        found: Ints = starts[of_row]
        return found

    def correct(self, corrections: Cells) -> set[tuple[int, Values]]:
        """What corrections have added to the loaded cells in all, by now. Returns what is different from before."""
        changed = set()
        for cell, before in self._corrections.items():
            now = corrections.get(cell, {})
            changed |= {
                (cell, values)
                for values in before.keys() | now.keys()
                if before.get(values, NOTHING) != now.get(values, NOTHING)
            }
            self._corrections[cell] = now
        if changed:
            self._add_up_window()
        return changed

    # -- what they hold

    def total(self, period: Period, values: Values) -> Sums:
        """What the period holds for these values; for a rolling window, what all loaded cells hold."""
        if self.rolling:
            return self._window.get(values, NOTHING)
        cell = unix_micros(period.start)
        added = self._blocks.get(cell, {}).get(values, NOTHING)
        corrected = self._corrections.get(cell)
        return added.plus(corrected[values]) if corrected and values in corrected else added

    def values_in(self, period: Period) -> set[Values]:
        """All values that have an entry in the period, or in the window."""
        if self.rolling:
            return set(self._window)
        cell = unix_micros(period.start)
        return {*self._blocks.get(cell, ()), *self._corrections.get(cell, ())}

    def total_since(self, since: datetime, values: Values) -> Sums:
        """What the loaded cells that begin then or later hold."""
        bound = unix_micros(since)
        total = NOTHING
        for part in (self._blocks, self._corrections):
            for cell, by_values in part.items():
                if cell >= bound and values in by_values:
                    total = total.plus(by_values[values])
        return total

    def copy(self) -> Loaded:
        """What is held now."""
        return Loaded(self.copy_of_blocks(), {cell: dict(by_values) for cell, by_values in self._corrections.items()})

    def differences(self, before: Loaded) -> set[tuple[int, Values]]:
        """What is different from then."""
        parts = ((before.blocks, self._blocks), (before.corrections, self._corrections))
        return {
            (cell, values)
            for old, new in parts
            for cell, held in new.items()
            for values in {*held, *old.get(cell, {})}
            if held.get(values) != old.get(cell, {}).get(values)
        }

    def copy_of_blocks(self) -> dict[int, dict[Values, Sums]]:
        """For a comparison with the ledger while this goes on counting."""
        return {cell: dict(by_values) for cell, by_values in self._blocks.items()}

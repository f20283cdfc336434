"""What the minutes hold that are not judged yet, exact, by series."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from stream_jobs.anomalies.exact import WIDTH, carried, limbs_of
from stream_jobs.anomalies.names import Level, Names
from stream_jobs.series.facts import Facts, Ints

MICROS: Final = 60_000_000


class Held(NamedTuple):
    """Some series of a minute: their numbers in Names, without doubles, and `carried` sums of each."""

    ids: Ints
    sums: Ints


class _Minute:
    """Rows are added as series come up."""

    def __init__(self) -> None:
        self.rows = 0
        self.sums = np.zeros((64, WIDTH), np.int64)
        self.row_of = np.full(64, -1, np.int32)  # by number of the series
        self.ids = np.zeros(64, np.int64)

    def add(self, ids: Ints, columns: Ints, sums: Ints) -> None:
        """`ids` without doubles."""
        if int(ids.max(initial=0)) >= len(self.row_of):
            more = np.full(2 * int(ids.max()) + 1, -1, np.int32)
            more[: len(self.row_of)] = self.row_of
            self.row_of = more
        new = ids[self.row_of[ids] < 0]
        while self.rows + len(new) > len(self.sums):
            self.sums = np.concatenate([self.sums, np.zeros_like(self.sums)])
            self.ids = np.concatenate([self.ids, np.zeros_like(self.ids)])
        rows = np.arange(self.rows, self.rows + len(new))
        self.row_of[new], self.ids[rows] = rows, new
        self.rows += len(new)
        self.sums[self.row_of[ids][:, None], columns[None, :]] += sums


class Minutes:
    """Used by one thread."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._held: dict[int, _Minute] = {}

    @property
    def latest(self) -> int | None:
        """The last minute that holds anything."""
        return max(self._held, default=None)

    def add(self, facts: Facts, until: int, levels: Sequence[Level] | None = None) -> dict[int, Held]:
        """Count these; returns what is of minutes before `until`, which is not counted. `levels`: only of these."""
        columns, values = limbs_of(facts)
        minutes = facts.minutes // MICROS
        found: list[tuple[Ints, Ints]] = []
        for level in self._names.levels if levels is None else levels:
            ids = self._names.ids(level, facts)
            rows = np.flatnonzero(ids >= 0)
            found.append((rows, ids[rows]))
        rows, ids = (np.concatenate(part) for part in zip(*found, strict=True))
        if not len(rows):
            return {}
        order = np.lexsort((ids, minutes[rows]))
        rows, ids = rows[order], ids[order]
        at = minutes[rows]
        firsts = np.flatnonzero(np.r_[True, (ids[1:] != ids[:-1]) | (at[1:] != at[:-1])])
        sums = np.add.reduceat(values[rows], firsts, axis=0)
        ids, at = ids[firsts], at[firsts]
        late: dict[int, Held] = {}
        starts = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
        for start, end in zip(starts, [*starts[1:], len(at)], strict=True):
            minute = int(at[start])
            if minute < until:
                wide = np.zeros((end - start, WIDTH), np.int64)
                wide[:, columns] = sums[start:end]
                late[minute] = Held(ids[start:end], carried(wide))
            else:
                held = self._held.setdefault(minute, _Minute())
                held.add(ids[start:end], columns, sums[start:end])
        return late

    def take(self, minute: int) -> Held:
        """What a minute holds by now; it is over with this."""
        held = self._held.pop(minute, None)
        if held is None:
            return Held(np.zeros(0, np.int64), np.zeros((0, WIDTH), np.int64))
        return Held(held.ids[: held.rows], carried(held.sums[: held.rows]))

    def used(self) -> Ints:
        """The numbers of all series that are held, without doubles."""
        parts = [held.ids[: held.rows] for held in self._held.values()]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

    def renumber(self, new: Ints) -> None:
        """Series have other numbers: `new` by the old one."""
        for held in self._held.values():
            ids = new[held.ids[: held.rows]]
            held.ids[: held.rows] = ids
            held.row_of = np.full(int(ids.max(initial=0)) + 1, -1, np.int32)
            held.row_of[ids] = np.arange(held.rows)

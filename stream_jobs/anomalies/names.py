"""A number for every series that comes up, so that rows of deltas can be added up without their texts."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream_jobs.anomalies.model import Series
from stream_jobs.series.facts import Facts, Ints
from stream_jobs.store.texts import profiles

Level = tuple[str, ...]
"""The dimensions of a kind of series; of the total none."""
NOBODY: Final = -1
"""Of an entry that lacks a value: it belongs to no series of the level. Also of one that there is no room for."""


class Names:
    """Used by one thread. Numbers hold until `keep`."""

    def __init__(self, levels: Sequence[Level], limit: int) -> None:
        """At most `limit` series have a number; who comes up beyond that is counted in `untracked`."""
        self.levels = tuple(levels)
        self.series: list[Series] = []
        self.untracked = 0
        self._limit = limit
        self._number: dict[Level, dict[tuple[str, ...], int]] = {level: {} for level in self.levels}

    def __len__(self) -> int:
        return len(self.series)

    def number(self, series: Series) -> int:
        """Its number, a new one where it has none yet; NOBODY without room."""
        of_level = self._number[series.dims]
        found = of_level.get(series.vals)
        if found is None:
            if len(self.series) >= self._limit:
                self.untracked += 1
                return NOBODY
            found = of_level[series.vals] = len(self.series)
            self.series.append(series)
        return found

    def find(self, series: Series) -> int:
        """Its number, or NOBODY."""
        return self._number.get(series.dims, {}).get(series.vals, NOBODY)

    def ids(self, level: Level, facts: Facts) -> Ints:
        """The number of each row's series."""
        if not level:
            return np.full(facts.rows, self.number(Series()), np.int64)
        texts = [facts.texts_of(name) for name in level]
        if len(level) == 1:
            ((values, codes),) = texts
            of_text = [self.number(Series(level, (text,))) if text else NOBODY for text in values]
            found: Ints = np.array(of_text, np.int64)[codes]
            return found
        groups = profiles([(codes, len(values)) for values, codes in texts], facts.rows)
        of_group = []
        for example in groups.example.tolist():
            vals = tuple(values[codes[example]] for values, codes in texts)
            of_group.append(self.number(Series(level, vals)) if all(vals) else NOBODY)
        found = np.array(of_group, np.int64)[groups.of_row]
        return found

    def keep(self, numbers: Ints) -> Ints:
        """Forget all but these (rising); returns the new number of each old one."""
        new = np.full(len(self.series), NOBODY, np.int64)
        new[numbers] = np.arange(len(numbers))
        kept = [self.series[number] for number in numbers.tolist()]
        self.series = []
        self._number = {level: {} for level in self.levels}
        for series in kept:
            self.number(series)
        return new

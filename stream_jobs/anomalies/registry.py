"""Which series are watched, and which are not when there are too many: a place in the detector for each.

Importance is what a series has spent of late in USD, and a thousandth for each request, halved every HALF_LIFE. While
there is room every series is watched from its first minute on. Beyond that users go first: what is no user takes the
place of the least important user at once; else, once an hour, a series whose importance is MORE times that of the
least important one of its kind takes its place. A series with an open finding keeps its place.

All of it follows from the minutes that were judged, in their order, so it is the same after a restart.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.names import Level, Names
from stream_jobs.detection.model import Floats
from stream_jobs.series.facts import Ints

HALF_LIFE: Final = 7 * 24  # hours
PER_REQUEST: Final = 0.001  # USD
MORE: Final = 2.0
NONE: Final = -1
LEAST: Final = 0.01
"""What has less importance than this is forgotten, where it is not watched."""


class Taken(NamedTuple):
    """A place in the detector, and the series that has it from now on."""

    place: int
    series: Series


class Registry:
    """Used by one thread."""

    def __init__(self, levels: Sequence[Level], most: int) -> None:
        self.most = most
        self.names = Names(levels, 10 * most)
        self.places: list[Series] = []  # by place
        self._place = np.full(0, NONE, np.int64)  # by number in names
        self._importance = np.zeros(0)  # likewise; as of the last hour, and added to since

    def _fit(self) -> None:
        more = len(self.names) - len(self._place)
        if more > 0:
            self._place = np.concatenate([self._place, np.full(max(more, 256), NONE, np.int64)])
            self._importance = np.concatenate([self._importance, np.zeros(max(more, 256))])

    def place_of(self, ids: Ints) -> Ints:
        """By number in `names`; NONE: it is not watched."""
        self._fit()
        found: Ints = self._place[ids]
        return found

    def find(self, series: Series) -> int:
        """Its place, or NONE."""
        number = self.names.find(series)
        return NONE if number < 0 else int(self.place_of(np.array([number]))[0])

    @property
    def dropped(self) -> int:
        """Series that came up lately and are not watched."""
        count = len(self.names)
        self._fit()
        return int(np.count_nonzero(self._place[:count] < 0)) + self.names.untracked

    def spent(self, ids: Ints, cost: Floats, events: Floats) -> None:
        """Of these, without doubles, in a minute."""
        self._fit()
        self._importance[ids] += np.abs(cost) + PER_REQUEST * np.abs(events)

    def importance_of_places(self) -> Floats:
        """[place] of the series that is watched there."""
        self._fit()
        return np.array([self._importance[self.names.number(series)] for series in self.places], np.float64)

    def ranked(self, ids: Ints) -> Ints:
        """Of these the ones that there is room for: no users first, and then the most important."""
        self._fit()
        series = self.names.series
        order = sorted(
            ids.tolist(), key=lambda number: (is_user(series[number]), -self._importance[number], series[number])
        )
        return np.array(order[: self.most - len(self.places)], np.int64)

    def admit(self, ids: Ints, kept: Callable[[], set[int]]) -> list[Taken]:
        """Places for those of these that have none, while there are. `kept`: places that must not be taken."""
        self._fit()
        new = ids[self._place[ids] < 0]
        if not len(new):
            return []
        series = self.names.series
        order = sorted(new.tolist(), key=lambda number: (is_user(series[number]), series[number]))
        free = max(0, self.most - len(self.places))
        taken = [self._take(len(self.places), number) for number in order[:free]]
        others = [number for number in order[free:] if not is_user(series[number])]
        if others:
            users = self._least(among_users=True, kept=kept())
            taken += [self._take(place, number) for place, number in zip(users, others, strict=False)]
        return taken

    def hour(self, kept: set[int]) -> list[Taken]:
        """An hour is over. `kept`: places that must not be taken."""
        self._fit()
        count = len(self.names)
        taken = []
        if len(self.places) >= self.most:
            waiting = np.flatnonzero(self._place[:count] < 0)
            for users in (False, True):
                mine = [number for number in waiting.tolist() if is_user(self.names.series[number]) == users]
                mine.sort(key=lambda number: (-self._importance[number], self.names.series[number]))
                for place, number in zip(self._least(among_users=users, kept=kept), mine, strict=False):
                    least = self._importance[self._number_at(place)]
                    if self._importance[number] <= MORE * least:
                        break
                    taken.append(self._take(place, number))
        self._importance *= 0.5 ** (1 / HALF_LIFE)
        self.names.untracked = 0
        return taken

    def crowded(self) -> bool:
        """Whether so many series have a number that some should be forgotten: see `forget`."""
        return len(self.names) > 5 * self.most

    def forget(self, used: Ints) -> Ints:
        """Keep numbers of those that are watched, that are `used`, and the more important of the others; returns the
        new number of each old one."""
        self._fit()
        count = len(self.names)
        keep = self._place[:count] >= 0
        keep[used] = True
        rest = np.flatnonzero(~keep & (self._importance[:count] > LEAST)).tolist()
        others = sorted(rest, key=lambda number: (-self._importance[number], self.names.series[number]))
        keep[others[: self.most]] = True
        kept = np.flatnonzero(keep)
        place, importance = self._place[kept], self._importance[kept]
        new = self.names.keep(kept)
        self._place, self._importance = place, importance
        return new

    def _number_at(self, place: int) -> int:
        return self.names.number(self.places[place])

    def _least(self, *, among_users: bool, kept: set[int]) -> list[int]:
        """Places, the least important first."""
        found = [
            place
            for place, series in enumerate(self.places)
            if place not in kept and series.dims and is_user(series) == among_users
        ]
        return sorted(found, key=lambda place: (self._importance[self._number_at(place)], self.places[place]))

    def _take(self, place: int, number: int) -> Taken:
        if place == len(self.places):
            self.places.append(self.names.series[number])
        else:
            self._place[self._number_at(place)] = NONE
            self.places[place] = self.names.series[number]
        self._place[number] = place
        return Taken(place, self.places[place])

    def dump(self) -> dict[str, object]:
        """For `restore`: what is watched, and the importance of all that there is a number for."""
        self._fit()
        count = len(self.names)
        return {
            "places": [[list(one.dims), list(one.vals)] for one in self.places],
            "series": [[list(one.dims), list(one.vals)] for one in self.names.series],
            "importance": self._importance[:count].tolist(),
        }

    @classmethod
    def restore(cls, levels: Sequence[Level], most: int, state: dict[str, object]) -> "Registry":
        """Raises ValueError for a state of other levels, or of more series than `most`."""
        found = cls(levels, most)
        known, importance = _series(state["series"]), state["importance"]
        places = _series(state["places"])
        if len(places) > most or any(one.dims not in found.names.levels for one in known):
            raise ValueError("watches other series")
        for series in known:
            found.names.number(series)
        found._fit()
        found._importance[: len(known)] = np.array(importance, np.float64)
        for place, series in enumerate(places):
            found.places.append(series)
            found._place[found.names.number(series)] = place
        return found


def is_user(series: Series) -> bool:
    """Whether it is of one user."""
    return "user_id" in series.dims


def _series(state: object) -> list[Series]:
    assert isinstance(state, list)
    return [Series(tuple(dims), tuple(vals)) for dims, vals in state]

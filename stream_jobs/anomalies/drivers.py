"""Judges what drives costs, by the hour: tokens per request, price per token, cache rate, error rate, GPU utilization.

Of the total, providers, models, teams and features (LEVELS), each quotient of an hour's sums is a value of a gauge. An
hour, since the quotient of a quarter of it has twice the noise, and a driver explains a cost that was found in minutes.
At most MOST_SERIES are followed: the most important ones by the registry; once an hour one that is MORE times as
important as the least important one takes its place. An open finding keeps its series.

What comes late for a minute that was judged is not counted, above the line or below it, and a minute of which nobody
knows what it held neither. All of it follows from the minutes that were judged, in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, Self

import numpy as np

from stream_jobs.anomalies.exact import floats
from stream_jobs.anomalies.minutes import Held
from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.names import Level, Names
from stream_jobs.anomalies.ratios import JUDGED, SUMS, Figures, at_stake, pull_of, quotient_of, values_of
from stream_jobs.detection.gauge import GaugeDetector
from stream_jobs.detection.model import Finding, Floats, Severity

LEVELS: Final[tuple[Level, ...]] = ((), ("provider",), ("model",), ("team",), ("feature",))
MOST_SERIES: Final = 200
MORE: Final = 2.0
HOUR: Final = 60
DAY: Final = 24
_COST: Final = SUMS.index("effective_cost")


class Told(NamedTuple):
    """A finding of a driver of a series."""

    series: Series
    found: Finding


class Drivers:
    """Used by one thread."""

    def __init__(self, most: int = MOST_SERIES) -> None:
        self._most = most
        self.series: list[Series] = []  # by place
        self._gauges = GaugeDetector(HOUR)  # of a place len(JUDGED) after each other
        self._sums = np.zeros((0, len(SUMS)))  # of the present hour
        self._costs = np.zeros((0, DAY))  # USD of the last hours, by their number since 1970 modulo 24
        self._until = 0  # the end of the hour that was judged last

    def add(self, names: Names, held: Held) -> None:
        """A minute of the present hour."""
        numbers = np.array([names.find(series) for series in self.series], np.int64)
        there = np.flatnonzero(numbers >= 0)
        place_of = np.full(len(names), -1, np.int64)
        place_of[numbers[there]] = there
        places = place_of[held.ids]
        rows = np.flatnonzero(places >= 0)
        if len(rows):
            sums = held.sums[rows]
            self._sums[places[rows]] += np.stack([floats(sums, name) for name in SUMS], axis=1)

    def hour(self, end: int) -> list[Told]:
        """The hour is over that ends with this minute: what stands, and what was closed."""
        changed = self.judge(end - HOUR, self._sums)
        self._sums[:] = 0.0
        return [*changed, *(self._told(found) for found in self._gauges.open_findings())]

    def judge(self, at: int, sums: Floats) -> list[Told]:
        """The sums [place, SUMS] of the hour that begins then: what was opened, closed or changed."""
        self._until = at + HOUR
        self._costs[:, at // HOUR % DAY] = sums[:, _COST]
        by_name = {name: sums[:, column] for column, name in enumerate(SUMS)}
        return [self._told(found) for found in self._gauges.advance(at, values_of(by_name).ravel())]

    def follow(self, importance: Mapping[Series, float]) -> None:
        """These are watched just now: the most important ones are followed from now on. Between hours."""
        mine = {series: weight for series, weight in importance.items() if series.dims in LEVELS}
        new = sorted(mine.keys() - set(self.series), key=lambda series: (-mine[series], series))
        room = max(0, self._most - len(self.series))
        self._append(new[:room])
        kept = {found.number // len(JUDGED) for found in self._gauges.open_findings()}
        least = sorted(
            (mine.get(series, -1.0), series, place)
            for place, series in enumerate(self.series)
            if place not in kept and series.dims
        )
        for series, (weight, _, place) in zip(new[room:], least, strict=False):
            if mine[series] <= MORE * max(0.0, weight):
                break
            self.series[place] = series
            self._sums[place], self._costs[place] = 0.0, 0.0
            self._gauges.reuse(_numbers(place), _names(series))

    def _append(self, new: Sequence[Series]) -> None:
        self.series += new
        self._gauges.add([name for series in new for name in _names(series)])
        self._sums = np.concatenate([self._sums, np.zeros((len(new), len(SUMS)))])
        self._costs = np.concatenate([self._costs, np.zeros((len(new), DAY))])

    def _told(self, found: Finding) -> Told:
        """In the driver's unit, with the money at stake, and never graver than a warning: money is what cost tells."""
        place, which = divmod(found.number, len(JUDGED))
        name = JUDGED[which]
        figures = Figures(*(quotient_of(name, one) for one in (found.actual, found.expected, found.low, found.high)))
        severity: Severity = "warning" if pull_of(name, found.direction) == "up" else "info"
        per_day = DAY * self._cost_per_hour(place, found) * at_stake(name, figures)
        driver = replace(found, kind="driver", measure=name, severity=severity, per_day=per_day, **figures._asdict())
        return Told(self.series[place], driver)

    def _cost_per_hour(self, place: int, found: Finding) -> float:
        """USD, of its stretch within the last day."""
        first = max(found.start, self._until - DAY * HOUR) // HOUR
        hours = range(first, max((found.end or self._until) // HOUR, first + 1))
        return float(self._costs[place, [hour % DAY for hour in hours]].mean())

    # -- state

    def dump(self) -> dict[str, Any]:
        return {
            "until": self._until,
            "series": [[list(one.dims), list(one.vals)] for one in self.series],
            "sums": self._sums.tolist(),
            "costs": self._costs.tolist(),
            "gauges": self._gauges.dump(),
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Raises ValueError, KeyError or TypeError for what is no state."""
        found = cls()
        found.series = [Series(tuple(dims), tuple(vals)) for dims, vals in state["series"]]
        found._gauges = GaugeDetector.load(state["gauges"])
        found._until = int(state["until"])
        count = len(found.series)
        found._sums = np.array(state["sums"], np.float64).reshape(count, len(SUMS))
        found._costs = np.array(state["costs"], np.float64).reshape(count, DAY)
        if found._gauges.step != HOUR or len(found._gauges.names) != count * len(JUDGED):
            raise ValueError("judges other drivers")
        return found


def _numbers(place: int) -> range:
    return range(place * len(JUDGED), (place + 1) * len(JUDGED))


def _names(series: Series) -> list[str]:
    return [f"{name}, {series.name}" for name in JUDGED]

"""The next hours of a tenant's series: the middle of cheap forecasts, with bands from what they missed by so far."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.atoms import ATOMS
from stream_jobs.forecasting.backtest import misses
from stream_jobs.forecasting.bands import OF_STEPS, OF_SUMS, POINTS, Bucket, bucket_of, buckets
from stream_jobs.forecasting.ended import Silence, after_return, return_chance, silence
from stream_jobs.forecasting.intermittent import farther_than_seen, is_intermittent, seen_sums
from stream_jobs.forecasting.model import QUANTILES, Forecast, Label, Panel, Told, refusal
from stream_jobs.forecasting.paths import FARTHEST, SCALE, WINDOW, Paths
from stream_jobs.forecasting.peers import BORROWED, YOUNG, age_of, course_of_peers
from stream_jobs.forecasting.profiles import DAY, WEEK
from stream_jobs.forecasting.robust import mean
from stream_jobs.forecasting.same_hours import at_the_same_hours, at_todays_hours, habit_of
from stream_jobs.forecasting.spikes import without_spikes
from stream_jobs.forecasting.uncertain import Uncertain

Floats = npt.NDArray[np.float64]
METHOD: Final = "middle of cheap forecasts"
STEADY: Final = 14 * DAY
"""Hours of history from which on nothing is provisional."""
ANOTHER_WEEK: Final = 1.1
"""As wide as one week's misses say are bands of sums in the next one: neighbouring sums are nearly the same, so a week
has few of them."""
LOST: Final = WEEK
"""Hours up to the origin: when nothing is known of them, nothing can be said."""
NEWBORN: Final = 1.5
"""As many times as wide is the band of a series that has no day of its own yet."""
LEAST: Final = 72
"""Hours that are looked at, however few are asked for: the first hour is the same, whatever is asked behind it."""
ONE_SIDED: Final = 0.35
"""Of the misses on one side of the path: when it is fewer than this share, the middle moves to the other side."""
MOST: Final = 1e15
"""Of an amount: sums of it stay exact enough."""


def forecast_hours(panel: Panel, horizon: int, told: Told = lambda _done, _of: None) -> list[Forecast]:
    """Of each series of the panel, from its end on. Raises ValueError for a panel of days or a negative horizon."""
    return Hours(panel, horizon, told).forecast(panel.origin)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is seen of all series together from one origin."""

    origin: int
    steps: Floats  # (series, steps, 3)
    sums: list[list[Uncertain]]
    silences: list[Silence]
    has_peers: bool
    farther: float  # than the sums that there were, of what is used now and then


class Hours:
    """Forecasts of one panel from any number of origins, which share what was forecast before each."""

    def __init__(self, panel: Panel, horizon: int, told: Told = lambda _done, _of: None) -> None:
        """`horizon`: hours, 0 or more. Raises ValueError for a panel of days or a negative horizon."""
        if panel.step != "hour" or horizon < 0:
            raise ValueError(f"so many hours ahead, of a panel of hours: not {horizon}, of {panel.step}s")
        self.panel, self.horizon, self._told = panel, horizon, told
        self._values = np.clip(panel.values, -MOST, MOST)
        self._usual = without_spikes(self._values)
        self._paths = Paths(self._usual, max(horizon, LEAST))

    def forecast(self, origin: int) -> list[Forecast]:
        """From a cell of the panel on, or from its end: hours since 1970. Nothing from there on is looked at. Raises
        ValueError for an origin that lies outside."""
        column = origin - self.panel.first
        if not 0 <= column <= self._values.shape[1]:
            raise ValueError(f"the origin {origin} is not within the panel, {self.panel.first} to {self.panel.origin}")
        window = self._values[:, max(column - WINDOW, 0) : column]
        if not window.size:
            return [refusal(name, "nothing is known of the time before") for name in self.panel.names]
        seen = self._seen(window, column)
        return [self._one(place, name, window[place], seen) for place, name in enumerate(self.panel.names)]

    def _seen(self, window: Floats, column: int) -> _Seen:
        silences = [silence(one, "hour") for one in window]
        ended = np.array([one.ended for one in silences])
        rare = np.array([is_intermittent(one) for one in window])
        steps, sums = self._bands(column, ~(ended | rare))
        has_peers = course_of_peers(SCALE.to(_a_day(window))) is not None
        farther = farther_than_seen([window[place] for place in np.flatnonzero(rare & ~ended)], self.horizon)
        return _Seen(self.panel.first + column, steps, sums, silences, has_peers, farther)

    def _bands(self, column: int, usual: npt.NDArray[np.bool_]) -> tuple[Floats, list[list[Uncertain]]]:
        """Of every series its steps, (series, steps, 3), and its sums."""
        window = self._usual[:, max(column - WINDOW, 0) : column]
        missed = misses(self._paths, self._usual, column, self._told)
        level = np.nan_to_num(np.sqrt(mean(SCALE.to(window[:, -WEEK:]) ** 2)))
        most = FARTHEST * np.nan_to_num(np.fmax.reduce(window, axis=1, initial=0.0))
        wider = np.where(age_of(window) < DAY, NEWBORN, 1.0)[:, None]
        path = np.nan_to_num(self._paths.at(column))[:, : self.horizon]
        places = bucket_of(self.horizon)

        by_step = buckets(missed.of_steps, missed.targets, level, usual, OF_STEPS)
        scale = _spread([one.scale for one in by_step], places) * wider
        errors = np.stack(
            [_spread(some, places) for some in zip(*(_errors(one) for one in by_step), strict=True)], axis=2
        )
        steps = SCALE.back(path[:, :, None] + scale[:, :, None] * errors)

        by_sum = buckets(missed.of_sums, missed.targets, level, usual, OF_SUMS)
        spread = _spread([one.scale for one in by_sum], places) * wider * ANOTHER_WEEK
        middles = SCALE.to(np.cumsum(SCALE.back(path), axis=1))
        sums = [
            [
                Uncertain(middle, own, by_sum[place].shape[series], SCALE, most=float(most[series]) * (step + 1))
                for step, (middle, own, place) in enumerate(zip(row, widths, places.tolist(), strict=True))
            ]
            for series, (row, widths) in enumerate(zip(middles.tolist(), spread.tolist(), strict=True))
        ]
        for series, row in enumerate(sums if self.horizon else []):  # a sum of one step is that step
            shape = _around(by_step[0].shape[series], float(errors[series, 0, 1]))
            row[0] = replace(row[0], middle=float(path[series, 0]), spread=float(scale[series, 0]), shape=shape)
        return np.minimum(steps, most[:, None, None]), sums

    def _one(self, place: int, name: str, values: Floats, seen: _Seen) -> Forecast:
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            return refusal(name, "nothing is known of the time before")
        unknown = len(values) - 1 - int(known[-1])
        if unknown >= LOST:
            return refusal(name, f"nothing is known of the last {unknown // DAY} days")
        age = len(values) - int(known[0])
        gap = f"nothing is known of the last {unknown} hours" if unknown else ""
        if seen.silences[place].ended:
            return self._ended(name, values, seen.silences, gap)
        if age >= YOUNG and is_intermittent(values):
            return self._intermittent(name, values, seen, gap)
        members = tuple(one for one in ATOMS if age >= WEEK or one != "last week")
        label: Label = "steady" if age >= STEADY else "provisional"
        why = "" if age >= STEADY else f"{age / DAY:.3g} days of history"
        if age < YOUNG:
            label, why = "cold start", f"{age} hours of history"
            members = (*members, *BORROWED) if seen.has_peers else members
        why = "; ".join(one for one in (why, gap) if one)
        return Forecast(name, seen.steps[place], seen.sums[place], METHOD, members, label, why)

    def _ended(self, name: str, values: Floats, silences: list[Silence], gap: str) -> Forecast:
        chance = return_chance(silences, np.arange(1, self.horizon + 1, dtype=np.float64), "hour")
        single, sums = after_return(values, chance, POINTS)
        why = "not used for long: nothing is expected but for the chance that it comes back"
        return _of_quantiles(name, single, sums, "ended", "dead", "; ".join(one for one in (why, gap) if one))

    def _intermittent(self, name: str, values: Floats, seen: _Seen, gap: str) -> Forecast:
        single, sums = seen_sums(values, self.horizon, POINTS, seen.farther)
        why, method = "used in few hours: rely on sums", "sums that there were"
        values = at_todays_hours(values, seen.origin - len(values))
        period = habit_of(values, seen.origin - len(values))
        if period is not None:
            single, same = at_the_same_hours(values, period, self.horizon, POINTS)
            sums = np.maximum.accumulate(np.where(np.isnan(same), sums, same), axis=1)
            why, method = "used at the same hours, few of them", "the same hours"
        return _of_quantiles(name, single, sums, method, "intermittent", "; ".join(one for one in (why, gap) if one))


def _errors(bucket: Bucket) -> tuple[Floats, Floats, Floats]:
    """(series,) each, below, in and above the middle: the path stays in the middle unless most misses, more than chance
    explains, lie on one side of it, as where usage grows."""
    low, _, high = QUANTILES
    least, less, more, most = np.quantile(bucket.shape, (low, ONE_SIDED, 1 - ONE_SIDED, high), axis=1)
    middle = np.clip(0.0, less, more)
    return np.minimum(least, middle), middle, np.maximum(most, middle)


def _around(shape: Floats, middle: float) -> Floats:
    """A bucket's shape with another median, and the same P10 and P90."""
    probabilities = (np.arange(POINTS) + 0.5) / POINTS
    near = np.clip(1 - np.abs(probabilities - 0.5) / (0.5 - QUANTILES[0]), 0.0, 1.0)
    return np.maximum.accumulate(shape + near * (middle - shape[POINTS // 2]))


def _spread(by_bucket: Sequence[Floats], places: npt.NDArray[np.int64]) -> Floats:
    """(series,) for each bucket -> (series, steps)."""
    return np.stack(by_bucket, axis=1)[:, places] if len(places) else np.zeros((1, 0))


def _a_day(window: Floats) -> Floats:
    """At least a day of hours: unknown ones come before those that there are."""
    short = DAY - window.shape[1]
    return window if short <= 0 else np.pad(window, ((0, 0), (short, 0)), constant_values=np.nan)


def _of_quantiles(name: str, single: Floats, sums: Floats, method: str, label: Label, why: str) -> Forecast:
    """`single`, `sums`: (POINTS, steps) of amounts."""
    probabilities = (np.arange(POINTS) + 0.5) / POINTS
    steps = np.array([np.interp(QUANTILES, probabilities, one) for one in single.T]).reshape(-1, len(QUANTILES))
    added = [Uncertain(0.0, 1.0, SCALE.to(one), SCALE) for one in sums.T]
    return Forecast(name, steps, added, method, (), label, why)

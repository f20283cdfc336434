"""Slow members of one run: which series have them, which are due, what was fitted before and still holds.

A run goes on without whatever is not there in its time; what a series lacks is said by name. Where nothing is due no
process is started, and no library is loaded.
"""

import logging
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stream_jobs.forecasting.daily import Days
from stream_jobs.forecasting.day_model import DayFit
from stream_jobs.forecasting.day_model import Past as PastDays
from stream_jobs.forecasting.day_slow import NO_EVENTS, SlowPaths, has_moved, path_of, tasks, wanted
from stream_jobs.forecasting.declared import Declared, nothing
from stream_jobs.forecasting.members.model import MemberName, Task
from stream_jobs.forecasting.refit import MOST_DAYS, why_refit
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.model import Floats, Key
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.forecasts.slow_fits import Fits
from stream_jobs.runtime.metrics import FORECAST_FITS

log = logging.getLogger(__name__)

LATELY: Final = 28
"""Days: who matters is who spent in these; what is known beforehand of them is compared with what was when they were
learned from."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Of one series, kept from run to run."""

    said: SlowPaths
    until: int  # the first day that nobody was asked about
    declared: Floats  # (2, LATELY): factors and amounts of the days before
    holidays: frozenset[int]


Kept = MutableMapping[str, Fitted]
"""By the names of series."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """At one panel."""

    keys: Sequence[Key]  # of its series
    days: Days
    past: PastDays
    fitted: DayFit
    declared: Declared
    events: Sequence[Mapping[str, Floats]]
    holidays: frozenset[int]

    @property
    def origin(self) -> int:
        return self.fitted.origin

    def declared_before(self, day: int) -> Floats:
        """(2, series, LATELY)"""
        return np.stack(self.declared.of(day - LATELY, LATELY))

    def weight(self, place: int) -> tuple[int, float]:
        """Rising from what matters most: the total, budgets, then what was most of late."""
        key = self.keys[place]
        rank = 1 if key.budget_id else 2 if key.dims else 0
        return rank, -float(np.nansum(self.past.values[place, -LATELY:]))


@dataclass(slots=True)
class _Fitting:
    """Of one series."""

    paths: dict[MemberName, Floats] = field(default_factory=dict)
    failed: dict[MemberName, str] = field(default_factory=dict)
    whole: bool = True  # every member was tried


class SlowMembers:
    """Of one run, which may ask for several panels. Used by one thread."""

    def __init__(self, settings: ForecastsSettings, kept: Kept, fits: Fits) -> None:
        """`kept` is read, and what is fitted is put there."""
        self._country = settings.country
        self._kept = kept
        self._fits = fits
        self._most = self._left = settings.slow_series
        self._left_s = min(settings.slow_run_s, settings.limit_s / 2)

    def of(
        self, keys: Sequence[Key], days: Days, beforehand: Beforehand | None, holidays: frozenset[int]
    ) -> dict[int, SlowPaths]:
        """By the places of series in the panel, of which `keys` are those. A member that failed is tried again when its
        series is due; one that there was no time for, in the next run."""
        seen = days.seen(days.panel.origin)
        if seen is None or not self._most:
            return {}
        declared = nothing(len(keys), days.panel.first) if beforehand is None else beforehand.declared()
        events = () if beforehand is None else beforehand.events
        looked = _Looked(keys, days, *seen, declared, events or [NO_EVENTS] * len(keys), holidays)
        self._forget(looked.origin)
        found, due = self._held(looked)
        now = sorted(due, key=looked.weight)[: self._left if self._left_s > 0 else 0]
        if len(due) > len(now):
            log.info("series that wait for slow members until other runs: %d", len(due) - len(now))
        return found | (self._fitted(looked, now) if now else {})

    def _forget(self, origin: int) -> None:
        """What is too old, and so the series that are no more. In another zone it may be tomorrow."""
        for name, one in list(self._kept.items()):
            if origin - one.said.first > MOST_DAYS + 1:
                self._kept.pop(name, None)

    def _held(self, looked: _Looked) -> tuple[dict[int, SlowPaths], list[int]]:
        """Of which series something is kept that holds, and which are due."""
        found: dict[int, SlowPaths] = {}
        due: list[int] = []
        for place, key in enumerate(looked.keys):
            if not wanted(looked.fitted, place):
                continue
            kept = self._kept.get(key.name)
            if kept is None or _why_refit(kept, looked, place):
                due.append(place)
            else:
                found[place] = kept.said
        return found, due

    def _fitted(self, looked: _Looked, places: Sequence[int]) -> dict[int, SlowPaths]:
        began_s = time.monotonic()
        self._left -= len(places)
        under_way = {place: _Fitting() for place in places}
        horizon = looked.days.horizon + MOST_DAYS
        todo: list[tuple[str, Task]] = []
        whose: dict[str, tuple[int, MemberName]] = {}
        for place in places:
            given = looked.past, looked.fitted, place, horizon, looked.holidays, self._country, looked.events[place]
            for member, task in tasks(*given):
                name = f"{_words(looked.keys[place])} by {member}"
                if name in whose:  # values are from outside, and may look like two
                    name += f" ({place})"
                todo.append((name, task))
                whose[name] = place, member
        for done in self._fits(todo, self._left_s):
            place, member = whose[done.name]
            one = under_way[place]
            failed = done.failed if done.result is None else done.result.refused
            if done.result is None or failed:
                one.failed[member] = failed
                one.whole = one.whole and not done.cut_short
            else:
                values = done.result.values
                one.paths[member] = path_of(member, values, looked.origin, looked.holidays, self._country)
            FORECAST_FITS.labels(member, "late" if done.cut_short else "failed" if failed else "done").inc()
        self._left_s -= time.monotonic() - began_s
        return {place: self._keep(looked, place, one) for place, one in under_way.items()}

    def _keep(self, looked: _Looked, place: int, one: _Fitting) -> SlowPaths:
        said = SlowPaths(looked.origin, dict(sorted(one.paths.items())), dict(sorted(one.failed.items())))
        if one.whole:
            until = looked.origin + looked.days.horizon + MOST_DAYS
            declared = looked.declared_before(looked.origin)[:, place]
            self._kept[looked.keys[place].name] = Fitted(said, until, declared, looked.holidays)
        return said


def _why_refit(kept: Fitted, looked: _Looked, place: int) -> str | None:
    fitted_on = kept.said.first
    declared = looked.declared_before(fitted_on)[:, place]
    return why_refit(
        fitted_on,
        kept.until,
        looked.origin,
        looked.origin + looked.days.horizon,
        moved=has_moved(looked.fitted, place, fitted_on),
        known_otherwise=not np.allclose(kept.declared, declared) or kept.holidays != looked.holidays,
    )


def _words(key: Key) -> str:
    """For people."""
    words = OfSeries(key.budget_id, key.dims, key.vals, key.measure).words
    return words if key.measure == "effective_cost" else f"{words} ({key.measure})"

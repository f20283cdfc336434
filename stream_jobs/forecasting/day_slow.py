"""Slow members of forecasts of days: what of a history they are given, and what they say of the days to come.

They are fitted to the rate of days alone: lump sums, months' ends and declared events are taken out, and days before a
clear move of the level are brought to where it lies now. What they say is put back into the months to come as the
other members' is, so all of them are of the same thing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stream_jobs.forecasting import lumps, months
from stream_jobs.forecasting.day_model import DayFit, Past
from stream_jobs.forecasting.level import RESET_DAYS
from stream_jobs.forecasting.members.model import Floats, MemberName, Options, Task
from stream_jobs.forecasting.members.which import members_for

KNOW_HOLIDAYS: Final[frozenset[MemberName]] = frozenset({"prophet"})
"""And events: what these did beyond their factors. The others say nothing of a holiday, and learn nothing of one."""
NO_EVENTS: Final[Mapping[str, Floats]] = {}
MOST_DAYS: Final = 732
"""Of history: two years tell whether the year is a season."""


@dataclass(frozen=True, slots=True)
class SlowPaths:
    """Of one series, as they were fitted."""

    first: int  # ordinal of the first day that they say something of: the origin
    paths: Mapping[MemberName, Floats] = field(default_factory=dict)  # (days,) amounts, without what comes monthly
    failed: Mapping[MemberName, str] = field(default_factory=dict)  # why there is none


def wanted(fitted: DayFit, series: int) -> tuple[MemberName, ...]:
    """Which members a series has: none that has stopped, mostly rests, or is too young."""
    if fitted.asleep[series] or np.isfinite(fitted.flat[series]):
        return ()
    return members_for("day", int(fitted.known[series]))


def tasks(
    past: Past,
    fitted: DayFit,
    series: int,
    horizon: int,
    holidays: frozenset[int],
    country: str,
    events: Mapping[str, Floats] = NO_EVENTS,
) -> list[tuple[MemberName, Task]]:
    """Of one series, `horizon` days from the end of the past on. `country`: whose the holidays are. `events`: by name,
    over which part of each day, from the first of the past on, they last; not at all behind the last that is given."""
    cells = min(past.values.shape[1], MOST_DAYS)
    first = fitted.origin - cells
    ordinals = np.arange(first, fitted.origin)
    rest = np.isin(ordinals, list(holidays))
    values = _taught(past, fitted, series, ordinals)
    found: list[tuple[MemberName, Task]] = []
    for member in wanted(fitted, series):
        options = Options(ignored=rest)
        if member in KNOW_HOLIDAYS:
            lasting = {name: _cut(part, past.values.shape[1] - cells, cells + horizon) for name, part in events.items()}
            options = Options(ignored=None if country else rest, events=lasting, country=country)
        found.append((member, Task(member, values, first, "day", horizon, options)))
    return found


def path_of(member: MemberName, values: Floats, first: int, holidays: frozenset[int], country: str) -> Floats:
    """What came of a fit, for `SlowPaths`: nothing is said of holidays by whom does not know them."""
    if member in KNOW_HOLIDAYS and country:
        return values
    return np.where(np.isin(first + np.arange(len(values)), list(holidays)), np.nan, values)


def ahead(said: Mapping[int, SlowPaths], fitted: DayFit, horizon: int) -> Floats:
    """(members, series, horizon): amounts of the days to come, without lumps, by series; NaN where one has no say."""
    ordinals = np.arange(fitted.origin, fitted.origin + horizon)
    names = sorted({name for one in said.values() for name in one.paths})
    found = np.full((len(names), len(fitted.floor), horizon), np.nan)
    for series, one in said.items():
        edges = np.exp(_edges(fitted, series, ordinals))
        for name, path in one.paths.items():
            over = fitted.origin - one.first
            left = path[over : over + horizon] if over >= 0 else path[:0]
            row = found[names.index(name), series]
            row[: len(left)] = left * edges[: len(left)]
    return found


def has_moved(fitted: DayFit, series: int, since: int) -> bool:
    """Whether a move of the level became clear after a day (an ordinal) on which it was fitted."""
    moved = fitted.level.moved[series]
    place = since - RESET_DAYS - (fitted.origin - len(moved))
    return bool(len(moved) and moved[min(max(place, 0), len(moved) - 1)] != 0.0)


def _taught(past: Past, fitted: DayFit, series: int, ordinals: np.typing.NDArray[np.int64]) -> Floats:
    """(days,)"""
    cells = slice(past.values.shape[1] - len(ordinals), None)
    values, usual, apart = (part[series : series + 1, cells] for part in (past.values, past.usual, past.apart))
    monthly = lumps.find(values, usual, apart, int(ordinals[0])).found[0]
    moved = fitted.level.moved[series]
    since = np.concatenate([np.full(max(len(ordinals) - len(moved), 0), moved[0]), moved])[-len(ordinals) :]
    rate = np.where(monthly, np.nan, values[0])
    return np.asarray(rate * np.exp(since - _edges(fitted, series, ordinals)))


def _cut(part: Floats, first: int, days: int) -> Floats:
    """(days,) from a place on; 0 behind the end."""
    left = part[first : first + days]
    return np.concatenate([left, np.zeros(days - len(left))])


def _edges(fitted: DayFit, series: int, ordinals: np.typing.NDArray[np.int64]) -> Floats:
    """(days,): what months' ends are, on the logarithm."""
    return np.append(fitted.edges[series], 0.0)[months.places(ordinals)]

"""What days will cost: the median of five simple forecasts that see weekdays, month's ends and lump sums alike.

On log(amount + 1 % of a usual day). Members: the level; the level with its trend; the last week again; the median and
the mean of the last four weeks. None of them is best everywhere, and their median is near the best of them (the
benchmark's tables say how near).
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting import asleep, level, lumps, months, trend, weekly
from stream_jobs.forecasting.robust import mean, median

Floats = npt.NDArray[np.float64]
Ordinals = npt.NDArray[np.int64]
MEMBERS: Final = ("level", "trend", "last week", "4-week median", "4-week mean")
FLOOR: Final = 0.01  # of the usual day: what is nearly nothing stays near
LEAST_FLOOR: Final = 1e-12  # an amount that nobody can pay
YEAR: Final = 400  # days that months' ends are looked for in
RECENT: Final = 56  # days that levels, weekdays and trends are looked for in
WEEK: Final = 7
MEAN_DAYS: Final = 42  # over which amounts are compared with what was expected
SPIKE: Final = 3.0  # scales above what was expected: counts as this much for a mean
MOST_SMEARED: Final = 2.0
LEAST_WEEKS: Final = 3
MOSTLY_RESTS: Final = 0.4


class DayFit(NamedTuple):
    """What the days before `origin` say."""

    origin: int
    floor: Floats  # (series)
    level: level.Level
    slopes: Floats
    weekdays: Floats  # (series, 7) from Monday on
    edges: Floats  # (series, 6)
    lumps: Floats  # (series, 31)
    smearing: Floats  # (series): means over medians
    again: Floats  # (3, series, 7): see `_again`
    rests: npt.NDArray[np.bool_]  # (series): whether weekends are lower
    flat: Floats  # (series): of those that mostly rest, the mean of their days; NaN of the others
    known: Floats  # (series): days
    asleep: npt.NDArray[np.bool_]  # (series): those that have stopped


class Past(NamedTuple):
    """Amounts of (series, days), never negative, NaN where not known, with what each day's past says of usual."""

    first: int
    values: Floats
    usual: Floats
    apart: Floats
    asleep: npt.NDArray[np.bool_]  # (series, days): whether it had stopped by the day's end
    known: npt.NDArray[np.int64]  # (series, days): how many were, by the day's end

    def before(self, origin: int) -> "Past":
        days = origin - self.first
        cut = (part[:, :days] for part in (self.values, self.usual, self.apart, self.asleep, self.known))
        return Past(self.first, *cut)  # type: ignore[arg-type]


def past_of(values: Floats, first: int) -> Past:
    """Credits count as 0: they say nothing of what is used."""
    positive = np.where(np.isfinite(values), np.maximum(values, 0.0), np.nan)
    known = np.cumsum(np.isfinite(positive), axis=1)
    return Past(first, positive, *lumps.usual(positive), asleep.tails(positive), known)


def logarithms(past: Past) -> Floats:
    """(series, days): each day over what its own past says of nearly nothing; NaN where either is not known."""
    return np.asarray(np.log(past.values + np.maximum(FLOOR * past.usual, LEAST_FLOOR)))


def fit(past: Past, holidays: frozenset[int] = frozenset()) -> DayFit:
    """Uses all days of it: cut it with `before`."""
    days = min(past.values.shape[1], YEAR)
    origin = past.first + past.values.shape[1]
    recent = min(days, RECENT)
    cut = past.values.shape[1] - days
    monthly = lumps.find(past.values[:, cut:], past.usual[:, cut:], past.apart[:, cut:], origin - days)
    values = np.where(monthly.found, np.nan, past.values[:, cut:])
    flat = _flat(values[:, -recent:])
    floor = np.where(np.isfinite(flat), np.nan_to_num(flat), _floor(values[:, -recent:], past.values))
    floor = np.maximum(floor, LEAST_FLOOR)
    logs = np.log(values + floor[:, None])
    ordinals = np.arange(origin - days, origin)
    weekday, place = weekly.weekday_of(ordinals), months.places(ordinals)
    rest = np.isin(ordinals, list(holidays))
    plain = np.where(rest, np.nan, logs)
    weekdays = weekly.profile(plain, origin)
    edges = months.effects(plain - weekdays[:, weekday], origin - days)
    at_edges = np.concatenate([edges, np.zeros((len(edges), 1))], axis=1)[:, place]
    weekdays = weekly.profile((plain - at_edges)[:, -recent:], origin)
    rests = weekdays[:, 5:].mean(axis=1) < weekdays[:, :5].mean(axis=1)
    expected = weekdays[:, weekday] + at_edges
    expected = np.where(rest & rests[:, None], weekdays[:, 6:], expected)[:, -recent:]
    followed = level.follow(logs[:, -recent:] - expected)
    smearing = _smearing(values[:, -recent:], np.exp(followed.before + expected) - floor[:, None], followed.scale)
    plain = np.where(rest, np.nan, logs - at_edges)[:, -recent:] + followed.moved
    again = _again(plain, floor, weekdays[:, weekly.weekday_of(np.arange(origin, origin + WEEK))])
    slopes = trend.slope(logs[:, -recent:] - expected + followed.moved)
    return DayFit(
        origin,
        floor,
        followed,
        slopes,
        weekdays,
        edges,
        monthly.amounts,
        smearing,
        again,
        rests,
        flat,
        past.known[:, -1].astype(float),
        past.asleep[:, -1],
    )


def members(fitted: DayFit, horizon: int, holidays: frozenset[int] = frozenset()) -> Floats:
    """(members, series, horizon): expected amounts of the days to come, without lumps; NaN where one has no say."""
    ordinals = np.arange(fitted.origin, fitted.origin + horizon)
    weekday, place = weekly.weekday_of(ordinals), months.places(ordinals)
    edges = np.concatenate([fitted.edges, np.zeros((len(fitted.edges), 1))], axis=1)[:, place]
    rest = np.isin(ordinals, list(holidays)) & fitted.rests[:, None]
    pattern = np.where(rest, fitted.weekdays[:, 6:], fitted.weekdays[:, weekday] + edges)
    floor, smeared = fitted.floor[:, None], fitted.smearing[:, None]
    steady = fitted.level.now[:, None] + pattern
    growing = steady + trend.grown(fitted.slopes, horizon)
    shape = np.exp(np.where(rest, fitted.weekdays[:, 6:] - fitted.weekdays[:, weekday], edges))
    repeated = fitted.again[:, :, np.arange(horizon) % WEEK] * shape
    rates = [np.maximum(np.exp(path) - floor, 0.0) * smeared for path in (steady, growing)]
    return np.concatenate([np.stack(rates), repeated])


def expected(
    fitted: DayFit, horizon: int, holidays: frozenset[int] = frozenset(), more: Floats | None = None
) -> Floats:
    """(series, horizon): the members' median, with lump sums; the same for every day of those that mostly rest; 0 of
    those that have stopped or never began. `more`: other members, as `members` has them."""
    every = members(fitted, horizon, holidays)
    found = median(every if more is None else np.concatenate([every, more]), axis=0)
    found = np.where(np.isfinite(fitted.flat)[:, None], fitted.flat[:, None], found)
    found = np.nan_to_num(found) + lumps.to_come(fitted.lumps, fitted.origin, horizon)
    return np.asarray(np.where(fitted.asleep[:, None], 0.0, found))


def _flat(recent: Floats) -> Floats:
    """(series): NaN of those that are used on most days. Weekends and a holiday are less than 40 % of days."""
    known = np.isfinite(recent).sum(axis=1)
    rests = (recent == 0).sum(axis=1) > MOSTLY_RESTS * known
    means = mean(recent, axis=1)
    return np.asarray(np.where(rests & (known >= 2 * WEEK) & (means > 0), means, np.nan))


def _floor(recent: Floats, values: Floats) -> Floats:
    """1 % of a usual day; of a series that mostly rests, of the days that it does not."""
    usual = median(recent, axis=1)
    active = median(np.where(recent > 0, recent, np.nan), axis=1)
    ever = median(np.where(values > 0, values, np.nan), axis=1)
    usual = np.where(usual > 0, usual, np.where(np.isfinite(active), active, ever))
    return np.asarray(FLOOR * np.where(np.isfinite(usual) & (usual > 0), usual, 1.0))


def _smearing(values: Floats, expected: Floats, scale: Floats) -> Floats:
    """What amounts come to in the mean over what is expected of the day in the middle, single spikes cut."""
    values, expected = values[:, -MEAN_DAYS:], np.maximum(expected[:, -MEAN_DAYS:], 0.0)
    known = np.isfinite(values)
    most = expected * np.exp(np.minimum(SPIKE * scale, 3.0))[:, None]
    came = np.where(known, np.minimum(np.nan_to_num(values), most), 0.0).sum(axis=1)
    planned = np.where(known, expected, 0.0).sum(axis=1)
    days = known.sum(axis=1)
    found = np.where(planned > 0, came / np.maximum(planned, 1e-300), 1.0)
    trusted = days / (days + WEEK)
    return np.asarray(np.clip(1 + trusted * (found - 1), 1 / MOST_SMEARED, MOST_SMEARED))


def _again(plain: Floats, floor: Floats, coming: Floats) -> Floats:
    """(3, series, 7): the last week, and the median and the mean of the last four, of logarithms without months' ends
    and holidays; from the origin's weekday on, of which `coming` are the profiles. Fewer than three weeks know nothing
    of single weekdays: then of all days without their weekdays, put back."""
    found = np.full((len(plain), 4 * WEEK), np.nan)
    days = min(plain.shape[1], 4 * WEEK)
    found[:, 4 * WEEK - days :] = plain[:, plain.shape[1] - days :]
    weeks = np.maximum(np.exp(found) - floor[:, None], 0.0).reshape(len(plain), 4, WEEK)
    middle = median(weeks, axis=1)
    last = np.where(np.isfinite(weeks[:, -1]), weeks[:, -1], middle)
    even = np.exp(found - np.tile(coming, 4))
    level = np.stack([mean(even[:, -WEEK:], axis=1), median(even, axis=1), mean(even, axis=1)])
    few = np.maximum(level[:, :, None] * np.exp(coming) - floor[:, None], 0.0)
    known = np.isfinite(found).sum(axis=1) >= LEAST_WEEKS * WEEK
    return np.where(known[:, None], np.stack([last, middle, mean(weeks, axis=1)]), few)

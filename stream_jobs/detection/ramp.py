"""A slow ramp: the last days against days before the last week, at the season's level, beyond the trend that was known.

A level that follows learns a ramp while it goes on, so the hours' deviates hardly show it. Here each day's level is
kept as it was. It is the level beyond the known one that solves the estimating equation of hours whose variance is that
of counting and of the level, phi e + tau² e²: ln(sum of w x / sum of w e), w = 1 / (phi + tau² e), whose variance is
1 / (sum of w e). So a busy hour tells no more than a quiet one where both have requests enough.

A mean of the last RECENT days, the last hours weighing most (the filter that is matched to a ramp that began so long
ago), is compared with the mean of the days before the last LAG. Its variance is that of a day (half the mean square of
the difference of days, or what its hours make of it) over the days of both means, and of the trend's own error.
It is judged every EVERY hours, with the day so far as a part of one.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.scales import COST, RAMP
from stream_jobs.detection.state import PAST_DAYS, RAMP_DAYS, RAMP_STEPS, State

RECENT: Final = 5.0
LAG: Final = 6.0
EVERY: Final = 4
KNOWN: Final = (7 + RAMP_DAYS) * 24  # hours after which days are comparable: the season of a first week was not known
MOST: Final = 8.0  # times the usual: of an hour that is more, no more is taken
LASTING: Final = 1.4
"""What differs from day to day beyond the noise of hours lasts for longer than a day now and then."""
APART_DAYS: Final = 2
"""Of days that are compared for the variance of one: neighbours are alike where the noise lasts for hours."""
TREND_ERROR: Final = 0.0015
GREATEST: Final = 1.2  # a day's logarithm beyond the level, while nothing is told
WIDEST: Final = 5.0  # a deviate teaches at most as one of so many
PRIOR_DAYS: Final = 20.0  # that the normal spread counts as
TREND_LAG: Final = 1 / 7
SLOWEST: Final = 1 / 60
RISING: Final = 5  # days that are compared with as many before
RISES: Final = 1.0  # standard deviations


def _ages(part: float) -> npt.NDArray[np.float64]:
    """How many days ago the day so far, a `part` of one, and the days before it ended, the beginning of the last of
    them included."""
    return np.concatenate([[0.0], part + np.arange(RAMP_DAYS + 1)])


def _weights(part: float, ago: float = 0.0) -> npt.NDArray[np.float64]:
    """Of the day so far and of the days before it: rising to now, or to so many days `ago`, within RECENT, less all
    that lie before LAG."""
    ages = np.maximum(_ages(part) - ago, 0)
    recent = np.minimum(ages, RECENT) - np.minimum(ages, RECENT) ** 2 / (2 * RECENT)
    rising, before = np.diff(recent), np.diff(np.maximum(ages, LAG))
    return np.asarray(rising / rising.sum() - before / before.sum())


def push_hour(s: State, actual: Array, usual: Array, known: Array) -> None:
    """An hour's money and requests, [measures, series], and whether it is known: the day so far."""
    weight = known / (s.phi + s.tau2[:, 3] * usual)
    s.day_num += weight * np.minimum(actual, MOST * usual)
    s.day_den += weight * usual


def push_day(s: State, free: Array) -> None:
    """A day is over; `free`: [series] no finding is open."""
    level, some = _level(s, np.where(free, GREATEST, 4 * GREATEST))
    before = s.days_level[:, APART_DAYS - 1] / RAMP_STEPS
    square = np.minimum((level - before) ** 2 / 2, 8 * s.day_v)
    days = s.age / 24
    rate = np.maximum(SLOWEST, 1 / np.maximum(days - 5, 1)) * (free & some & (days > 8))
    s.day_v += rate * (square - s.day_v)
    s.days_level[:, 1:] = s.days_level[:, :-1].copy()
    s.days_level[:, 0] = np.rint(np.clip(level * RAMP_STEPS, -32000, 32000))
    s.day_num[:] = 0
    s.day_den[:] = 0
    s.trend_past += TREND_LAG * (s.trend - s.trend_past) * free
    _learn(s)
    judge(s)


def _learn(s: State) -> None:
    """How wide the deviates are in this series: wider where its level wanders for days. By those of LAG days ago, which
    a ramp that goes on has not reached."""
    days = s.age / 24 - LAG - RECENT
    rise, variance = _rise(s, _weights(0, LAG), _ages(0))
    square = np.minimum(rise * rise / variance, WIDEST**2)
    rate = np.maximum(SLOWEST, 1 / (PRIOR_DAYS + days)) * (days > KNOWN / 24 - RECENT)
    spread = s.spread[:, :, RAMP]
    spread += rate * (square - spread)
    np.maximum(spread, 1.0, out=spread)


def _level(s: State, most: Array | float) -> tuple[Array, Array]:
    """[measures, series] of the day so far, and where it tells one."""
    some = (s.day_den > 0) & (s.level > -90)
    gain = np.log(np.maximum(s.day_num, 1e-30) / np.maximum(s.day_den, 1e-30))
    return np.where(some, np.clip(gain, -most, most), 0.0) + s.level, some


def judge(s: State, hours: int = 0) -> None:
    """Lay the deviates of all series, `hours` of a day after the last one that was over."""
    part = hours / 24
    weights = _weights(part)
    rise, variance = _rise(s, weights, _ages(part))
    if hours:
        level, _ = _level(s, GREATEST)
        _, more = _of_a_day(s)
        rise = rise + weights[0] * level
        variance = variance + weights[0] ** 2 * (np.minimum(1 / np.maximum(s.day_den, 1e-9), 1.0) + more)
    s.ramp_z[:] = np.where(s.age >= KNOWN, np.clip(rise / np.sqrt(variance), -40, 40), 0.0)


def _rise(s: State, weights: npt.NDArray[np.float64], ages: npt.NDArray[np.float64]) -> tuple[Array, Array]:
    """Of the days that are over, beyond the trend: [measures, series] their weighed sum, and its variance."""
    apart = -float((weights * (ages[1:] + ages[:-1]) / 2).sum())
    of_hours, more = _of_a_day(s)
    rise = -apart * s.trend_past
    for row in range(RAMP_DAYS):
        rise = rise + weights[row + 1] / RAMP_STEPS * s.days_level[:, row]
    variance = (apart * TREND_ERROR) ** 2 + (of_hours + more) * float((weights[1:] ** 2).sum())
    return np.asarray(rise), np.asarray(variance)


def _of_a_day(s: State) -> tuple[Array, Array]:
    """Variance of a day's level: what its hours make of it, and what is more."""
    usual = np.exp(np.maximum(s.level, -80.0))  # of an hour
    of_hours = (s.phi / usual + s.tau2[:, 3]) / 24
    return np.asarray(of_hours), np.asarray(LASTING * np.maximum(s.day_v - of_hours, 0.0))


def still_rises(s: State, i: int) -> bool:
    """Series `i` has gone on, towards the side of its finding, in the last days."""
    days = s.days_level[COST, :, i] / RAMP_STEPS
    rise = float(days[:RISING].mean() - days[RISING : 2 * RISING].mean()) * int(s.side[i])
    of_hours, more = _of_a_day(s)
    deviation = float(np.sqrt((of_hours + more)[COST, i] * 2 / RISING))
    return rise > RISES * deviation


def forget(s: State, i: int, days: int, moved: Sequence[float]) -> None:
    """The last `days` of series `i` were as its level now is; those before are `moved` with it, by measure."""
    steps = np.rint(np.array(moved) * RAMP_STEPS)[:, None]
    s.days_level[:, :, i] = np.clip(s.days_level[:, :, i] + steps, -32000, 32000)
    s.days_level[:, :days, i] = np.clip(np.rint(s.level[:, i, None] * RAMP_STEPS), -32000, 32000)
    s.day_num[:, i] = s.day_den[:, i]
    s.ramp_z[:, i] = 0  # until it is judged again


def began(s: State, i: int, measure: int, side: int) -> int:
    """How many days before the last one that was over the ramp of series `i` began: the best of all broken lines, of
    those whose money is still known."""
    days = _detrended(s, i, measure)
    best = (-1.0, 2)
    for count in range(2, PAST_DAYS + 1):
        rising = count - 0.5 - np.arange(count)
        square = float((rising**2).sum())
        gain = max(float((rising * (days[:count] - days[count:].mean())).sum()) * side, 0.0)
        unsure = 1 + float(rising.sum()) ** 2 / square / (RAMP_DAYS - count)
        best = max(best, (gain**2 / square / unsure, count))
    return best[1]


def level_before(s: State, i: int, measure: int, days: int) -> float:
    """What a measure's level would be now without the last `days`."""
    return float(_detrended(s, i, measure)[days:].mean())


def _detrended(s: State, i: int, measure: int) -> Array:
    """Levels of the days, the last one first, as if the trend that was known had raised all to that of the last."""
    return np.asarray(s.days_level[measure, :, i] / RAMP_STEPS + float(s.trend_past[measure, i]) * np.arange(RAMP_DAYS))

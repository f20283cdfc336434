"""A slow ramp: the last days against days before the last week, at the season's level, beyond the trend that was known.

A level that follows learns a ramp while it goes on, so the hours' deviates hardly show it. Here each day's level is
kept as it was, ln(actual / usual) + level, and the mean of 4 days is compared with that of the 12 that end 6 days ago.
Its variance is that of a day (half the mean square of the difference from day to day, and what hours' noise makes of a
day at least) over the days of both means, and of the trend's own error.
"""

from typing import Final

import numpy as np

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.scales import COST
from stream_jobs.detection.state import RAMP_DAYS, RAMP_STEPS, State

RECENT: Final = 4
LAG: Final = 6
APART: Final = (LAG + RAMP_DAYS - 1) / 2 - (RECENT - 1) / 2  # days between the middles of both means
KNOWN: Final = (7 + RAMP_DAYS) * 24  # hours after which days are comparable: the season of a first week was not known
DAY_HOURS: Final = 19.0  # equal hours that are as noisy as a day with its season
TREND_ERROR: Final = 0.0015
GREATEST: Final = 1.2  # a day's logarithm beyond the level, while nothing is told
TREND_LAG: Final = 1 / 7
SLOWEST: Final = 1 / 60
RISING: Final = 7  # days of which the first and the last are compared
RISES: Final = 0.5  # standard deviations


def push_day(s: State, free: Array) -> None:
    """A day is over, its hours are in the past ones; `free`: [series] no finding is open."""
    actual, usual = (past[COST].astype(float).sum(axis=0) for past in (s.past_x, s.past_e))
    some = (usual > 0) & (s.level[COST] > -90)
    gain = np.log(np.maximum(actual, 1e-30) / np.maximum(usual, 1e-30))
    most = np.where(free, GREATEST, 4 * GREATEST)
    level = np.where(some, np.clip(gain, -most, most), 0.0) + s.level[COST]
    before = s.days_level[0] / RAMP_STEPS
    square = np.minimum((level - before) ** 2 / 2, 8 * s.day_v)
    days = s.age / 24
    rate = np.maximum(SLOWEST, 1 / np.maximum(days - 5, 1)) * (free & some & (days > 8))
    s.day_v += rate * (square - s.day_v)
    s.days_level[1:] = s.days_level[:-1].copy()
    s.days_level[0] = np.rint(np.clip(level * RAMP_STEPS, -32000, 32000))
    s.trend_past += TREND_LAG * (s.trend[COST] - s.trend_past) * free
    judge(s)


def judge(s: State) -> None:
    """Lay the deviates of all series."""
    days = s.days_level / RAMP_STEPS
    rise = _mean(days, 0, RECENT) - _mean(days, LAG, RAMP_DAYS) - APART * s.trend_past
    variance = _of_a_day(s) * (1 / RECENT + 1 / (RAMP_DAYS - LAG)) + (APART * TREND_ERROR) ** 2
    s.ramp_z[COST] = np.where(s.age >= KNOWN, np.clip(rise / np.sqrt(variance), -40, 40), 0.0)


def _mean(days: Array, first: int, end: int) -> Array:
    """One by one, so that it does not depend on how many series there are."""
    total = days[first]
    for day in range(first + 1, end):
        total = total + days[day]
    return np.asarray(total / (end - first))


def _of_a_day(s: State) -> Array:
    return np.asarray(np.maximum(s.day_v, s.tau2[COST, 3] / DAY_HOURS))


def still_rises(s: State, i: int) -> bool:
    """Series `i` has gone on, towards the side of its finding, in the last days."""
    days = s.days_level[:, i] / RAMP_STEPS
    rise = float(days[:RECENT].mean() - days[RECENT:RISING].mean()) * int(s.side[i])
    deviation = float(np.sqrt(_of_a_day(s)[i] * (1 / RECENT + 1 / (RISING - RECENT))))
    return rise > RISES * deviation


def forget(s: State, i: int, days: int, moved: float) -> None:
    """The last `days` of series `i` were as its level now is; those before are `moved` with it."""
    s.days_level[:, i] = np.clip(s.days_level[:, i] + round(moved * RAMP_STEPS), -32000, 32000)
    s.days_level[:days, i] = np.clip(round(float(s.level[COST, i]) * RAMP_STEPS), -32000, 32000)
    judge(s)

"""Each scale learns how wide its deviates are in this series, and how far out its past went; limits follow from both.

A limit is the deviate whose tail has the scale's nats (`thresholds.py`), times the scale's own spread on that side,
and farther out where the greatest days of its group of scales went farther than those of normal noise: what a series
does every few weeks anyway is no news.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import minutes, tails
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.config import Config
from stream_jobs.detection.scales import (
    FIRST_DAYS,
    FIRST_HOURS,
    GROUPS,
    LOOKS,
    N_FAST,
    N_HOURS,
    RAMP,
    WINDOWS,
)
from stream_jobs.detection.state import HOUR_WINDOWS, QUANTUM, State
from stream_jobs.detection.thresholds import needed_nats, sigmas

MINUTELY: Final = N_FAST + N_HOURS
SUSPICIOUS: Final = 0.7  # of a limit
LITTLE: Final = 0.1  # of what is learned otherwise
SETTLED: Final = 14 * 24  # hours after which a baseline has seen each hour of the week twice
LEAST_DAYS_SPREAD: Final = 0.8  # of windows of days
WINSOR: Final = (8.0, 0.92)
"""A square teaches at most so many times the spread; of normal deviates that leaves such a part."""
NORMAL_TAIL: Final = 0.26  # how much farther out the greatest of e times as many normal deviates is
TRUST: Final = 0.25  # in what the three greatest days tell of it
WIDEST_TAIL: Final = 2.5
WINDOWS_KNOWN: Final = np.array([*[400.0] * (FIRST_HOURS + 1), *[36.0] * 5, 20.0, 11.0, 7.0, 9.0])[:, None]
"""About how many independent windows have taught a scale's spread after six weeks, where it is more than normal: hours
of a day that differ together are one."""
SIX_WEEKS: Final = 42 * 24
FEWEST: Final = 3.0
PRIOR_WINDOWS: Final = np.where(np.arange(len(WINDOWS_KNOWN)) < FIRST_DAYS, 3.0, 0.0)[:, None]
"""As many say beforehand that a window of hours is no wider than normal: a few days hold so few that their own spread
says little, and would hide nearly everything."""
HOURS_LOOKS: Final = 10.0  # independent ones that windows of hours take in a day, where the noise is that of hours
INDEPENDENT: Final = 6.0  # windows that count as having taught before the first: each hour says nearly the same again
ROOTS: Final = np.sqrt(np.array(HOUR_WINDOWS, dtype=float))[:, None]
UNITS: Final = np.concatenate([np.ones((N_FAST, 1)), ROOTS, [[1.0]]])
"""What each window's sum is divided by."""
_NEEDED: Final = [max(4 * hours, 24) for hours in HOUR_WINDOWS[1:]]
NEEDED_HOURS: Final = np.array([*[0] * (FIRST_HOURS + 1), *_NEEDED, 0])[:, None]
"""That a series is known before a window of hours is judged: three as long before it, to compare with, and a day, since
hours of day that were never seen are off together."""
NEVER: Final = 1e30


def lay_limits(s: State, config: Config) -> None:
    """[measures, scales, series] above or below which sums of deviates are news, and the longest gap between
    requests."""
    needed = needed_nats(config.budget)
    s.limit_up[:] = _side(s, needed, 0)
    s.limit_down[:] = -_side(s, needed + config.downward_nats, 1)
    s.limit_gap[:] = minutes.limit_gap(s, needed, config.downward_nats)


def _side(s: State, needed: Array, side: int) -> Array:
    taught = WINDOWS_KNOWN * np.clip(s.age / SIX_WEEKS, 0, 1)
    known = np.maximum(taught + PRIOR_WINDOWS, FEWEST)
    wide = np.sqrt(1 + (_wide(s, side) ** 2 - 1) * (1 - PRIOR_WINDOWS / known))
    normal = sigmas(needed[:WINDOWS, None] + s.more)
    limits = normal + _students(normal, known) * np.maximum(wide - 1, 0) + normal * np.minimum(wide - 1, 0)
    fast, hours, _ = GROUPS  # a past of weeks holds too few windows of days
    limits[:, fast] = np.maximum(limits[:, fast], minutes.limits(s, needed, wide[:, fast], side))
    limits[:, hours] = np.maximum(limits[:, hours], _beyond(s, side, needed)[:, None] * wide[:, hours])
    young = s.age < NEEDED_HOURS  # nothing lies before the window that could say what is usual in it
    return np.asarray(np.where(young, NEVER, limits * UNITS))


def _wide(s: State, side: int) -> Array:
    """[measures, scales, series] the deviates' own standard deviation. Windows of hours and days are alike on both
    sides, unless they are seen to differ. Those of days are few in a past of weeks, so they are as wide as those of 24
    hours at least, standardised as they are."""
    square = s.spread[side].copy()
    hours = slice(FIRST_HOURS + 1, RAMP)
    square[:, hours] = 0.75 * square[:, hours] + 0.25 * s.spread[1 - side, :, hours]
    wide = np.sqrt(square)
    for scale in range(FIRST_DAYS - 1, RAMP):
        np.maximum(wide[:, scale], wide[:, scale - 1], out=wide[:, scale])
    return np.asarray(wide)


def _students(normal: Array, windows: Array) -> Array:
    """[scales, series] the quantile of Student's t beside a normal one: what few windows tell of a spread is uncertain
    (Gaver and Kafadar, The American Statistician 38, 1984: sqrt(n (exp(c z²) - 1)), c = (n - 1.5) / (n - 1)²)."""
    c = (windows - 1.5) / (windows - 1) ** 2
    return np.asarray(np.sqrt(windows * np.expm1(np.minimum(c * normal * normal, 40.0))))


def _beyond(s: State, side: int, needed: Array) -> Array:
    """[measures, series] how far the past lets expect that it goes: from the r-th greatest of its days (the first in
    the first ten days, the third from the 25th on, so that one incident is no past) with an exponential tail, whose
    width is the distance of two of them, shrunk towards that of normal noise, as far as the nats reach."""
    days = np.maximum(s.age / 24.0, 2.0)
    three = s.record[side].astype(float)
    first, second = days < 10, days < 25
    went = np.where(first, three[:, 0], np.where(second, three[:, 1], three[:, 2]))
    apart = np.where(first, three[:, 0] - three[:, 1], 2 * (three[:, 1] - three[:, 2]))
    rank = np.where(first, 1, np.where(second, 2, 3))
    scales = range(*GROUPS[1].indices(WINDOWS))
    # from the r-th of so many days to the scales' budget
    rarer = min(needed[scale] - np.log(LOOKS[scale]) for scale in scales) + np.log(rank / days)
    tail = NORMAL_TAIL + TRUST * (np.minimum(apart, WIDEST_TAIL) - NORMAL_TAIL)
    normal = sigmas(np.log(HOURS_LOOKS * days / rank)) + 0.5
    return np.asarray(went + np.maximum(rarer + s.more, 0) * tail - 3 * np.maximum(normal - went, 0))


def before(s: State, pushed: bool) -> Array:
    """[measures, hourly scales, series]: the sum of the whole hours that each scale adds to the present one, which is
    among the past ones already (`pushed`) or not."""
    sums = np.zeros((2, N_HOURS, s.columns))
    for scale, hours in enumerate(HOUR_WINDOWS[:N_HOURS]):
        if hours > 1:
            sums[:, scale] = (s.sums_z[:, scale] - s.hours_z[:, 0 if pushed else hours - 1]) / QUANTUM
    return sums


def before_one(s: State, i: int, pushed: bool) -> Array:
    """The same of series `i`: [measures, hourly scales]."""
    rows = [0 if pushed else hours - 1 for hours in HOUR_WINDOWS[:N_HOURS]]
    sums = (s.sums_z[:, :N_HOURS, i] - s.hours_z[:, rows, i]) / QUANTUM
    return np.where(np.array(HOUR_WINDOWS[:N_HOURS]) > 1, sums, 0.0)


def free_to_learn(s: State) -> Array:
    """[series] 1, or little while the hours so far look like the beginning of something, 0 while a finding is open."""
    sums = hourly(s)[:, 1:]
    up, down = s.limit_up[:, FIRST_HOURS + 1 :], s.limit_down[:, FIRST_HOURS + 1 :]
    strange = ((sums > SUSPICIOUS * up) | (sums < SUSPICIOUS * down)).any(axis=(0, 1))
    return np.where(~s.free, 0.0, np.where(strange, LITTLE, 1.0))


def _learn_record(s: State, deviate: Array, may: npt.NDArray[np.bool_]) -> None:
    for side, sign in enumerate((1.0, -1.0)):
        np.maximum(s.today[side], sign * deviate * may, out=s.today[side])


def push_hour(s: State, z: Array, actual: Array, usual: Array) -> None:
    """A whole hour's deviates join the sums; its money joins the past hours."""
    kept = np.rint(np.clip(z, -4, 4) * QUANTUM).astype(np.int8)
    for scale, hours in enumerate(HOUR_WINDOWS):
        s.sums_z[:, scale] += kept.astype(np.int16) - s.hours_z[:, hours - 1]
    s.hours_z[:, 1:] = s.hours_z[:, :-1].copy()
    s.hours_z[:, 0] = kept
    for ring, value in ((s.past_x, actual), (s.past_e, usual)):
        ring[:, 1:] = ring[:, :-1].copy()
        ring[:, 0] = value


def hourly(s: State) -> Array:
    """[measures, hourly and daily scales and the ramp, series]: sums of deviates at the end of an hour."""
    return np.concatenate([s.sums_z / np.float32(QUANTUM), s.ramp_z[:, None]], axis=1)


def _taught(s: State) -> Array:
    """[series] hours that count as having taught: what a baseline of a few days was off is forgotten in the weeks
    after."""
    return np.asarray(np.where(s.age < SETTLED, s.age, s.age - SETTLED / 2))


def learn_mean(s: State, deviate: Array, may: Array) -> None:
    """Whole hours' deviates have a mean of their own where the noise is no lognormal one; long windows would add it
    up."""
    rate = np.maximum(1 / (28 * 24), 2 / (48 + _taught(s))) * may
    s.mean_z += rate * (np.clip(deviate, s.mean_z - 2, s.mean_z + 2) - s.mean_z)


def learn_hour(s: State, may: Array) -> None:
    of_record = (may > 0) | s.repeats
    sums = hourly(s)
    taught = _taught(s)
    for offset, hours in enumerate(HOUR_WINDOWS):
        scale = N_FAST + offset
        deviate = sums[:, offset] / UNITS[scale]
        rate = np.maximum(1 / (28 * 24), 2 / (48 + INDEPENDENT * hours + taught)) * may
        minutes.learn_spread(s, scale, deviate, rate, LEAST_DAYS_SPREAD if scale >= FIRST_DAYS else 1.0, WINSOR)
        if N_FAST < scale < FIRST_DAYS:
            _learn_record(s, deviate / np.sqrt(s.spread[:, :, scale]).max(axis=0), of_record)


def learn_day(s: State, may: npt.NDArray[np.bool_]) -> None:
    """The day's maxima join those of the days so far."""
    tails.keep_three(s.record, s.today, may)
    s.today[:] = 0
    minutes.learn_day(s, may)
    s.days_x[1:], s.days_e[1:] = s.days_x[:-1].copy(), s.days_e[:-1].copy()
    s.days_x[0], s.days_e[0] = s.past_x[0].cumsum(axis=0)[-1], s.past_e[0].cumsum(axis=0)[-1]

"""Each scale learns how wide its deviates are in this series, and how far out its past went; limits follow from both.

A limit is the deviate whose tail has the scale's nats (`thresholds.py`), times the scale's own spread on that side,
and farther out where the greatest days of its group of scales went farther than those of normal noise: what a series
does every few weeks anyway is no news.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.config import Config
from stream_jobs.detection.noise import TAU2_LEAST, TAU2_MOST
from stream_jobs.detection.scales import (
    FAST,
    FIRST_DAYS,
    FIRST_HOURS,
    GROUPS,
    LOOKS,
    N_FAST,
    N_HOURS,
    RAMP,
    SILENCE,
    WEEK_HOURS,
    WINDOWS,
)
from stream_jobs.detection.state import HOUR_WINDOWS, QUANTUM, State
from stream_jobs.detection.thresholds import needed_nats, sigmas

MINUTELY: Final = N_FAST + N_HOURS
SUSPICIOUS: Final = 0.7  # of a limit
LITTLE: Final = 0.1  # of what is learned otherwise
SETTLED: Final = 14 * 24  # hours after which a baseline has seen each hour of the week twice
WINSOR: Final = 10.0  # a square teaches at most so many times the spread
NORMAL_TAIL: Final = 0.3  # how much farther out the greatest of e times as many normal deviates is
WIDEST_TAIL: Final = 2.5
RAMP_RATE: Final = 1 / (84 * 24)
WINDOWS_KNOWN: Final = np.array([*[400.0] * FIRST_HOURS, 400.0, *[16.0] * (RAMP - FIRST_HOURS - 1), 9.0])
"""About how many independent windows taught a scale's spread on one side, where it is more than normal: hours of a day
that differ together are one."""
UNCERTAIN: Final = ((3.8**2 + 1) / (4 * WINDOWS_KNOWN))[:, None]
"""By so much is the quantile of Student's t at a limit farther out than the normal one."""
GROUP_LOOKS: Final = (30.0, 10.0, 1.5)
"""Independent looks a day of each group of scales, where the noise is that of hours."""
ROOTS: Final = np.sqrt(np.array(HOUR_WINDOWS, dtype=float))[:, None]
UNITS: Final = np.concatenate([np.ones((N_FAST, 1)), ROOTS, [[1.0]]])
"""What each window's sum is divided by."""
NEEDED_HOURS: Final = np.array([*[0] * (FIRST_HOURS + 1), *(4 * hours for hours in HOUR_WINDOWS[1:]), 0])[:, None]
"""That a series is known before a window of hours is judged: three as long before it, to compare with."""
NEVER: Final = 1e30


def lay_limits(s: State, config: Config) -> None:
    """[measures, scales, series] above or below which sums of deviates are news, and the longest gap between
    requests."""
    needed = needed_nats(config.budget, config.portfolio_nats)
    s.limit_up[:] = _side(s, needed, 0)
    s.limit_down[:] = -_side(s, needed + config.downward_nats, 1)
    tau2 = s.tau2[1, 3] + s.unsure[1]
    nats = needed[SILENCE] + config.downward_nats + s.more
    s.limit_gap[:] = np.maximum(np.maximum(np.expm1(np.minimum(nats * tau2, 60)) / tau2, 2 * s.gaps[2]), nats)


def _side(s: State, needed: Array, side: int) -> Array:
    wide = _wide(s, side)
    limits = sigmas(needed[:WINDOWS, None] + s.more) * wide
    for group, scales in enumerate(GROUPS[:2]):  # a past of weeks holds too few windows of days
        beyond = _beyond(s, group, side, needed)
        limits[:, scales] = np.maximum(limits[:, scales], beyond[:, None] * wide[:, scales])
    young = s.age < NEEDED_HOURS  # nothing lies before the window that could say what is usual in it
    return np.asarray(np.where(young, NEVER, limits * UNITS))


def _wide(s: State, side: int) -> Array:
    """[measures, scales, series] the deviates' own standard deviation. Windows of days are few in a past of weeks: they
    are as wide as those of 24 hours at least, standardised as they are; and what few windows tell is uncertain, as of
    Student's t at the limit's tail."""
    wide = np.sqrt(s.spread[side])
    for scale in range(FIRST_DAYS - 1, RAMP):
        np.maximum(wide[:, scale], wide[:, scale - 1], out=wide[:, scale])
    return np.asarray(wide + UNCERTAIN * np.maximum(wide - 1, 0))


def _beyond(s: State, group: int, side: int, needed: Array) -> Array:
    """[measures, series] how far the past lets expect that it goes: from the r-th greatest of its days (the first in
    the first ten days, the third from the 25th on, so that one incident is no past) with an exponential tail, whose
    width is the distance of two of them, shrunk towards that of normal noise, as far as the nats reach."""
    days = np.maximum(s.age / 24.0, 2.0)
    three = s.record[side, :, group].astype(float)
    first, second = days < 10, days < 25
    went = np.where(first, three[:, 0], np.where(second, three[:, 1], three[:, 2]))
    apart = np.where(first, three[:, 0] - three[:, 1], 2 * (three[:, 1] - three[:, 2]))
    rank = np.where(first, 1, np.where(second, 2, 3))
    scales = range(*GROUPS[group].indices(WINDOWS))
    # from the r-th of so many days to the scales' budget
    rarer = min(needed[scale] - np.log(LOOKS[scale]) for scale in scales) + np.log(rank / days)
    tail = (NORMAL_TAIL + np.minimum(apart, WIDEST_TAIL)) / 2
    normal = sigmas(np.log(GROUP_LOOKS[group] * days / rank)) + 0.5
    return np.asarray(went + np.maximum(rarer + s.more, 0) * tail - 3 * np.maximum(normal - went, 0))


def before(s: State) -> Array:
    """[measures, hourly scales, series]: the sum of the whole hours that each scale adds to the present one."""
    sums = np.zeros((2, N_HOURS, s.columns))
    for scale, hours in enumerate(HOUR_WINDOWS[:N_HOURS]):
        if hours > 1:
            oldest = s.hours_z[:, hours - 1].astype(np.float32) / QUANTUM
            sums[:, scale] = s.sums_z[:, scale] - oldest
    return sums


def before_one(s: State, i: int) -> Array:
    """The same of series `i`: [measures, hourly scales]."""
    oldest = np.array([s.hours_z[:, hours - 1, i] for hours in HOUR_WINDOWS[:N_HOURS]]).T.astype(np.float32) / QUANTUM
    return np.where(np.array(HOUR_WINDOWS[:N_HOURS]) > 1, s.sums_z[:, :N_HOURS, i] - oldest, 0.0)


def free_to_learn(s: State) -> Array:
    """[series] 1, or little while the hours so far look like the beginning of something, 0 while a finding is open."""
    sums = hourly(s)[:, 1:]
    up, down = s.limit_up[:, FIRST_HOURS + 1 :], s.limit_down[:, FIRST_HOURS + 1 :]
    strange = ((sums > SUSPICIOUS * up) | (sums < SUSPICIOUS * down)).any(axis=(0, 1))
    return np.where(s.side != 0, 0.0, np.where(strange, LITTLE, 1.0))


def learn_minutes(s: State, of_hour: int, z: Array, part: Array, free: Array) -> None:
    """Windows that end with this minute in step with the clock teach their noise; those of a minute every fifth."""
    may = free * (s.age > 3)
    for row, window in enumerate(FAST):
        if (of_hour + 1) % window:
            continue
        learn_row(s, row, z[:, row], part[:, row], may)


def learn_row(s: State, row: int, deviate: Array, part: Array, may: Array) -> None:
    """A fast window's deviates teach its noise: z² v is the squared logarithm, and what counting explains (`part`) or
    an unsure baseline is no noise of the level."""
    looks = 60 / max(FAST[row], 5)
    hours = s.heard if row < N_FAST - 1 else s.age
    rate = np.maximum(1 / (21 * 24 * looks), 2 / (looks * (12 + hours))) * may
    tau2 = s.tau2[:, row]
    v = part + tau2 + s.unsure
    seen = np.minimum(deviate * deviate, 16.0) * v - part - s.unsure
    trust = tau2 / (tau2 + part + s.unsure)
    s.tau2[:, row] = np.clip(tau2 + rate * (0.1 + 0.9 * trust) * (seen - tau2), TAU2_LEAST, TAU2_MOST)
    _learn_spread(s, row, deviate, rate * (s.age > 48))
    _learn_record(s, 0, deviate / np.sqrt(s.spread[:, :, row]).max(axis=0), (may > LITTLE) & (s.age > 48))


def _learn_spread(s: State, scale: int, deviate: Array, rate: Array) -> None:
    double = 2 * deviate * deviate
    for side, on in enumerate((deviate > 0, deviate < 0)):
        square = np.minimum(double, WINSOR * s.spread[side, :, scale]) * on
        s.spread[side, :, scale] += rate * (square - s.spread[side, :, scale])
        np.maximum(s.spread[side, :, scale], 0.8 if FIRST_DAYS <= scale < RAMP else 1.0, out=s.spread[side, :, scale])


def _learn_record(s: State, group: int, deviate: Array, may: npt.NDArray[np.bool_]) -> None:
    for side, sign in enumerate((1.0, -1.0)):
        today = s.today[side, :, group]
        np.maximum(today, sign * deviate * may, out=today)


def push_hour(s: State, z: Array, actual: Array, usual: Array) -> None:
    """A whole hour's deviates join the sums; its money joins the past hours."""
    kept = np.rint(np.clip(z, -4, 4) * QUANTUM).astype(np.int8)
    fresh = kept.astype(np.float32) / np.float32(QUANTUM)
    for scale, hours in enumerate(HOUR_WINDOWS):
        s.sums_z[:, scale] += fresh - s.hours_z[:, hours - 1].astype(np.float32) / np.float32(QUANTUM)
    s.hours_z[:, 1:] = s.hours_z[:, :-1].copy()
    s.hours_z[:, 0] = kept
    for ring, value in ((s.past_x, actual), (s.past_e, usual)):
        ring[:, 1:] = ring[:, :-1].copy()
        ring[:, 0] = value


def hourly(s: State) -> Array:
    """[measures, hourly and daily scales and the ramp, series]: sums of deviates at the end of an hour."""
    return np.concatenate([s.sums_z, s.ramp_z[:, None]], axis=1)


def learn_mean(s: State, deviate: Array, may: Array) -> None:
    """Whole hours' deviates have a mean of their own where the noise is no lognormal one; long windows would add it
    up."""
    since = np.where(s.age < SETTLED, s.age, s.age - SETTLED)
    rate = np.maximum(1 / (28 * 24), 2 / (48 + since)) * may
    s.mean_z += rate * (np.clip(deviate, s.mean_z - 2, s.mean_z + 2) - s.mean_z)


def learn_hour(s: State, may: Array) -> None:
    sums = hourly(s)
    since = np.where(s.age < SETTLED, s.age, s.age - SETTLED)  # what a baseline of a few days was off is soon forgotten
    for offset in range(len(HOUR_WINDOWS) + 1):
        scale = N_FAST + offset
        deviate = sums[:, offset] / UNITS[scale]
        hours = (*HOUR_WINDOWS, WEEK_HOURS)[offset]
        rate = np.maximum(1 / (28 * 24), 2 / (48 + 2 * hours + since)) * may
        if scale == RAMP:
            rate = RAMP_RATE * may * (s.age > SETTLED)
        _learn_spread(s, scale, deviate, rate)
        if scale > N_FAST:
            _learn_record(
                s, 1 if scale < FIRST_DAYS else 2, deviate / np.sqrt(s.spread[:, :, scale]).max(axis=0), may > 0
            )


def learn_day(s: State, may: npt.NDArray[np.bool_]) -> None:
    """The day's maxima join the three greatest, which fade by a third of a percent a day."""
    _keep_three(s.record, s.today, may)
    s.today[:] = 0
    _keep_three(s.gaps, s.gap_today, may)
    s.gap_today[:] = 0
    _keep_three(s.dear, s.dear_today, may)
    s.dear_today[:] = 0
    s.days_x[1:], s.days_e[1:] = s.days_x[:-1].copy(), s.days_e[:-1].copy()
    s.days_x[0], s.days_e[0] = s.past_x[0].cumsum(axis=0)[-1], s.past_e[0].cumsum(axis=0)[-1]


def _keep_three(three: Array, value: Array, may: npt.NDArray[np.bool_]) -> None:
    """`three` is [..., 3, series] in falling order, `value` [..., series]."""
    faded = three * np.float32(0.997)
    first, second, third = faded[..., 0, :], faded[..., 1, :], faded[..., 2, :]
    value = np.where(may, value, 0)
    three[..., 0, :] = np.maximum(first, value)
    rest = np.minimum(first, value)
    three[..., 1, :] = np.maximum(second, rest)
    three[..., 2, :] = np.maximum(third, np.minimum(second, rest))

"""Windows of minutes and the hour so far: what teaches their noise, and how far is far by the series' own days.

Their daily maxima are those of every minute, each window's by itself: a job at a fixed minute of the hour is a daily
maximum of the windows in which it stands out, and none of the hour as a whole.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import tails
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.noise import TAU2_LEAST, TAU2_MOST
from stream_jobs.detection.scales import FAST, LOOKS, N_FAST, SILENCE
from stream_jobs.detection.state import MINUTELY, MINUTES, REPEATS, State, row_of

WINSOR: Final = (10.0, 1.0)  # a square teaches at most so many times the spread; see `calibration.py`
ROLLING_HOUR: Final = N_FAST - 1
HOUR_SO_FAR: Final = N_FAST
SAMPLED: Final = 5  # minutes, of which one teaches the window of a minute
SLACK: Final = 0.2  # standard deviations by which days like normal noise's go beyond its limit: many minutes overlap
GAPS_APART: Final = 3.0  # times what days let expect ...
GAPS_KNOWN: Final = 14  # ... once there are so many
GAP_WIDTH: Final = 1.0  # of the daily longest gap between requests of a Poisson process, in usual requests
SIDED: Final = 1.4  # the noise above the usual counts where it is smaller by more
MOST_SQUARE: Final = 16.0
MEAN_SHIFT: Final = 0.5
UNSEEN: Final = 0.36  # variance of the logarithm of a bin, which its visits divide; no more of it explains noise ...
MOST_NEW: Final = 1.0  # ... and hours that were never seen teach this much at most: that they lie apart is little noise
COME: Final = 1.2  # times as far
AWAY: Final = 2.0  # usual requests of an hour; below it a series is away
HABIT: Final = 1.7  # findings of a side within half a day, or one a day for three days ...
HABITUAL: Final = 2.5  # ... and as many are remembered when it comes again, so that it may be away for a day and a half
DEAR_STEPS: Final = 12.0  # to a factor of e
DEAR_ZERO: Final = 120.0
SETTLED: Final = 48  # hours that a series is known before its days are learned

_FEW: Final = np.log(np.array(LOOKS[:MINUTELY]))
WIDTH: Final = 0.35  # about that of normal noise's daily maxima


def limits(s: State, needed: Array, wide: Array, side: int) -> Array:
    """[measures, scales, series] the least deviates that days like those so far do not hold. `needed`: nats of all
    scales; `wide`: [measures, scales, series] how wide the deviates are."""
    nats = (needed[:MINUTELY] - _FEW)[:, None] + s.more
    days, unit = s.days.astype(float), wide[:, :, None]
    by_all, excess = tails.normal_beyond(s.most_mean[side] / unit, days, nats)
    known = np.repeat(days[None], MINUTELY, axis=0)
    known[ROLLING_HOUR] = s.age / 24  # hours teach it, too
    by_greatest = tails.normal_beyond_greatest(s.most[side] / unit, known, excess, nats)
    limit = np.maximum(by_all - SLACK, by_greatest) * wide
    limit[:, HOUR_SO_FAR] = limit[:, 1:].max(axis=1)  # it is as long as each of them in turn
    return np.asarray(limit)


def limit_gap(s: State, needed: Array, downward: float) -> Array:
    """[series] the longest gap between requests, in usual requests: what a Poisson process leaves whose level is as
    noisy as the hours are (but not many times what the days so far let expect: hours are noisy for other reasons, too),
    and what days like those so far do not hold."""
    tau2 = s.tau2[1, ROLLING_HOUR] + s.unsure[1]
    nats = needed[SILENCE] + downward + s.more
    own = nats - np.log(LOOKS[SILENCE])
    days = s.days.astype(float)
    by_all = tails.beyond(s.gap_mean, days, GAP_WIDTH, own)
    noisy = np.expm1(np.minimum(nats * tau2, 60)) / tau2
    noisy = np.where(days >= GAPS_KNOWN, np.minimum(noisy, GAPS_APART * by_all), noisy)
    return np.asarray(np.maximum(np.maximum(noisy, np.maximum(by_all, 2 * s.gaps[2])), nats))


def as_step(dearest: Array) -> Array:
    """[series] the dearest request of a minute in units of phi, as kept in a byte: steps of 8 %, from e^-10 up."""
    return np.rint(np.clip(DEAR_STEPS * np.log(np.maximum(dearest, 1e-30)) + DEAR_ZERO, 0, 255)).astype(np.uint8)


def dearest(step: int) -> float:
    """The inverse; 0 of nothing."""
    return float(np.exp((step - DEAR_ZERO) / DEAR_STEPS)) if step else 0.0


def learn_maxima(s: State, z: Array, calm: npt.NDArray[np.bool_]) -> None:
    """Every minute's deviates, [measures, windows and the hour so far, series], where no finding is open, or one that
    was told before."""
    sided = (z * calm).astype(np.float32)
    np.maximum(s.most_today[0], sided, out=s.most_today[0])
    np.maximum(s.most_today[1], -sided, out=s.most_today[1])


def learn_hour_maximum(s: State, deviate: Array) -> None:
    """Of an hour of which no minutes are known."""
    for side, sign in enumerate((1.0, -1.0)):
        today = s.most_today[side, :, ROLLING_HOUR]
        np.maximum(today, sign * deviate, out=today)


def away(s: State, i: int) -> bool:
    """Next to nothing is usual of series `i` at this time."""
    return bool(s.win_e[1, ROLLING_HOUR, i] < AWAY)


def came_today(s: State, i: int, measure: int, scale: int, deviate: float) -> bool:
    """The series is one that is away, and has come today as far from nothing as now: that was told."""
    return away(s, i) and deviate <= COME * float(s.most_today[0, measure, scale, i])


def is_habit(s: State, i: int, side: int, measure: int, scale: int, deviate: float) -> bool:
    """What was told twice within hours, or on three days, by windows of minutes and hours, is no news once more, unless
    it goes farther than it ever went."""
    which = row_of(side)
    if s.habit[which, i] < HABIT:
        return False
    if scale <= HOUR_SO_FAR:
        went = max(float(s.most_today[which, measure, scale, i]), float(s.most[which, measure, scale, 0, i]))
    else:
        went = max(float(s.today[which, measure, i]), float(s.record[which, measure, 0, i]))
    return _again(s, i, which, deviate * side <= COME * went)


def is_usual_gap(s: State, i: int) -> bool:
    """The same of the time since the last request."""
    if s.habit[1, i] < HABIT:
        return False
    return _again(s, i, 1, float(s.gap[i]) <= COME * max(float(s.gap_today[i]), float(s.gaps[0, i])))


def _again(s: State, i: int, which: int, came: bool) -> bool:
    if came:
        s.habit[which, i] = max(float(s.habit[which, i]), HABITUAL)
    return came


def learn_told(s: State, z: Array, i: int, side: int) -> None:
    """What is told of series `i` counts among its days as far as the limits go: what comes every day is soon no news,
    and one incident moves little. Where the series was away, how far from nothing it came says nothing of a size: all
    of it counts; and so it does when it is told again."""
    which, limit = row_of(side), s.limits(side, i)[:, :MINUTELY]
    z = z[:, :, i] * side
    if s.habit[which, i] < REPEATS and (side < 0 or not away(s, i)):
        z = np.minimum(z, limit)
    np.maximum(s.most_today[which, :, :, i], z, out=s.most_today[which, :, :, i])


def taught(at: int) -> list[int]:
    """The windows, and the hour so far, that end with minute `at` and teach their noise: those in step with the clock,
    and of five windows of a minute one, each minute of the hour as often as any other."""
    of_hour = at % MINUTES
    first = [0] if of_hour % SAMPLED == (at // SAMPLED * 2 + at // MINUTES) % SAMPLED else []
    stepped = [row for row, window in enumerate(FAST) if row and (of_hour + 1) % window == 0]
    return [*first, *stepped, *([HOUR_SO_FAR] if (of_hour + 1) % SAMPLED == 0 else [])]


def learn_minutes(s: State, at: int, rows: list[int], z: Array, variance: Array, part: Array, free: Array) -> None:
    """These windows (`taught`) teach their noise, of series that are `free` to learn."""
    may = free * ((s.age > 3) & (s.closed != at) & (s.win_e[1, 0] > 0))
    for row in rows:
        if row == HOUR_SO_FAR:
            learn_spread(s, row, z[:, row], 1 / (21 * 24 * MINUTES / SAMPLED) * may * (s.age > SETTLED))
        else:
            learn_row(s, row, z[:, row], variance[:, row], part[:, row], may)


def upward(tau2: Array, tau2_up: Array) -> Array:
    """The level's noise above the usual: where what is below it goes much farther (hours in which a client is away), a
    rise is held against the rises alone."""
    return np.asarray(np.minimum(tau2, SIDED * tau2_up))


def learn_row(s: State, row: int, deviate: Array, variance: Array, part: Array, may: Array) -> None:
    """A window's deviates teach its noise: z² `variance` is the squared logarithm, and what counting explains
    (`part`) or an unsure baseline is no noise of the level."""
    looks = MINUTES / max(FAST[row], SAMPLED)
    hours = s.heard if row < ROLLING_HOUR else s.age
    rate = np.maximum(1 / (21 * 24 * looks), 2 / (looks * (12 + hours))) * may
    square = np.minimum(deviate * deviate, MOST_SQUARE) * variance
    above = _above(s, row, variance)
    new = s.unseen > UNSEEN  # their deviates say little: by the logarithms themselves
    if new.any():
        logs = np.log(np.maximum(s.win_x[:, row], 1e-12) / np.maximum(s.win_e[:, row], 1e-12))
        square = np.where(new, np.minimum(logs * logs, MOST_NEW), square)
        # most of them lie on one side
        above = np.where(new, s.tau2_up[:, row] + part + _known(s, s.unsure_up), above)
    for known, seen, of_level in ((s.tau2, square, s.unsure), (s.tau2_up, above, s.unsure_up)):
        tau2, unsure = known[:, row], _known(s, of_level)
        trust = tau2 / (tau2 + part + unsure)
        learned = tau2 + rate * (0.1 + 0.9 * trust) * (seen - part - unsure - tau2)
        known[:, row] = np.clip(learned, TAU2_LEAST, TAU2_MOST)
    learn_spread(s, row, deviate, rate * (s.age > SETTLED))


def _known(s: State, unsure: Array) -> Array:
    """[measures, series] how unsure the level is beside that an hour was never seen."""
    return np.asarray(unsure - np.maximum(s.unseen.astype(float) - UNSEEN, 0))


def _above(s: State, row: int, variance: Array) -> Array:
    """[measures, series] twice the square of the logarithm above the usual, which is half a variance above the median;
    of little variance only, since what is away often lifts the mean, not the noise at work."""
    x, e = s.win_x[:, row], s.win_e[:, row]
    usual = np.maximum(e, 1e-12)
    over = np.log(np.maximum(x, usual) / usual) + np.minimum(variance, MEAN_SHIFT) / 2
    return np.asarray(np.where((x > e) & (e > 0), 2 * np.minimum(over * over, MOST_SQUARE * variance), 0.0))


def learn_spread(
    s: State, scale: int, deviate: Array, rate: Array, least: float = 1.0, winsor: tuple[float, float] = WINSOR
) -> None:
    double, (most, left) = 2 * deviate * deviate, winsor
    for side, on in enumerate((deviate > 0, deviate < 0)):
        square = np.minimum(double, most * s.spread[side, :, scale]) * (on / left)
        s.spread[side, :, scale] += rate * (square - s.spread[side, :, scale])
        np.maximum(s.spread[side, :, scale], least, out=s.spread[side, :, scale])


def learn_day(s: State, may: npt.NDArray[np.bool_]) -> None:
    """The day's maxima join those of the days so far; of a day that was heard by minutes, all of them."""
    days = s.days.astype(float)
    heard = may & (s.heard >= 24 * (days + 1))
    wide = np.sqrt(np.maximum(s.spread[:, :, :MINUTELY], 1.0))
    mean = s.most_mean.astype(float)
    tails.learn(mean, s.most_today, days, WIDTH * wide, heard)
    s.most_mean[:] = mean
    tails.keep_three(s.most, s.most_today, may)
    s.most_today[:] = 0
    tails.learn(s.gap_mean, s.gap_today, days, GAP_WIDTH, heard)
    tails.keep_three(s.gaps, s.gap_today, may)
    s.gap_today[:] = 0
    s.days += heard & (s.days < 255)

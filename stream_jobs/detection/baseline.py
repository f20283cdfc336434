"""What is usual: e^level times the season of the hour of week, interpolated between the middles of hours.

A season's bin is shrunk towards the same hour of its kind of day (workday, weekend): (num + k p) / (den + k), where k
grows with the noise. Bins forget 5 % a visit. The level is a damped daily Holt with a trend of at most 2 % a day, so
that growth is usual. What is learned is winsorised at 2.5 sigma, and nothing is while a finding is open.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import LANES, Array
from stream_jobs.detection.minutes import UNSEEN, upward
from stream_jobs.detection.scales import COST, EVENTS
from stream_jobs.detection.state import State

WORKDAYS: Final = range(5)
WEEKEND: Final = range(5, 7)
FRIDAY, SUNDAY = 4, 6
FORGET: Final = 0.95
LEVEL_RATE: Final = 0.06
TREND_RATE: Final = 0.004
TREND_MOST: Final = 0.02
DAMPING: Final = 0.995
STEP: Final = 2.0  # neighbours that differ by more are a step, not a slope
PRIOR: Final = 0.1  # visits that the same hour of the other kind of day counts for ...
FEW: Final = 10.0  # ... where so many requests are usual in an hour, or its noise is large; else the less
SEEN: Final = 0.5  # visits: a bin was
NEVER: Final = 2.25
"""The least variance of the logarithm of a bin that was never seen, nor another of its kind: nobody knows how far a
first day's hours lie apart, or its weekend from workdays."""
OFTEN: Final = 2.5  # visits: an hour that stands out between its neighbours comes again
PEAK_MOST: Final = 3.0  # of the logarithm of how far it does
EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday
TINY: Final = 1e-12
UNKNOWN: Final = -90.0  # a level below is of a series that has done nothing so far
WEIGHTS: Final = (1 - FORGET ** np.arange(256)) / (1 - FORGET)  # of so many visits of a bin


def hour_of_week(at: int) -> int:
    """0 is Monday 00:00Z; `at` in minutes since 1970."""
    return (at // 60 + 24 * EPOCH_WEEKDAY) % 168


def _kind(bin_: int) -> list[int]:
    days = WORKDAYS if bin_ // 24 < 5 else WEEKEND
    return [24 * day + bin_ % 24 for day in days]


def _median_of_five(values: list[Array]) -> Array:
    """So that a job that runs on one day of the week is not expected on the others."""
    a, b, c, d, e = values
    low, high = np.maximum(np.minimum(a, b), np.minimum(c, d)), np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.asarray(np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e)))


def season(s: State, bin_: int) -> tuple[Array, Array]:
    """Of an hour of week: [measures, series] its share of the level, and [series] of how many visits that is known."""
    pull = np.clip(s.tau2[:, 3] / 0.0125, 1.0, 12.0)
    bins = _kind(bin_)
    dens = [WEIGHTS[s.visits[one]] for one in bins]
    num, den = s.num[:, bins[0]].astype(float), dens[0]
    for other, more in zip(bins[1:], dens[1:], strict=True):
        num, den = num + s.num[:, other], den + more
    if len(bins) == 5:
        each = [s.num[:, one] / np.maximum(weight, 0.5) for one, weight in zip(bins, dens, strict=True)]
        seen = np.min([s.visits[one] for one in bins], axis=0) > 0
        num = np.where(seen, _median_of_five(each) * den, num)
    strange = bin_ % 24 + 24 * (SUNDAY if bin_ // 24 < 5 else FRIDAY)  # the day before the kind changes: seen first
    prior_num, prior_den = s.num[:, strange] + 0.2, WEIGHTS[s.visits[strange]] + 0.2
    little = PRIOR * np.minimum(1.0, FEW * np.exp(-np.clip(s.level[EVENTS], -20, 20)) + s.tau2[:, 3])
    kind = (num + little * prior_num / prior_den) / (den + little)
    own_num, own_den = s.num[:, bin_].astype(float), WEIGHTS[s.visits[bin_]]
    return (own_num + pull * kind) / (own_den + pull), own_den + np.minimum(den, pull[0])


def visits(s: State, bin_: int) -> Array:
    """The same visits by themselves."""
    den = sum((WEIGHTS[s.visits[one]] for one in _kind(bin_)[1:]), WEIGHTS[s.visits[_kind(bin_)[0]]])
    return np.asarray(WEIGHTS[s.visits[bin_]] + np.minimum(den, np.clip(s.tau2[0, 3] / 0.0125, 1.0, 12.0)))


def unseen(s: State, visited: Array) -> Array:
    """[series] the variance of the logarithm that comes of a season that is not known. Hours of a day have it in
    common. An hour of a kind that was never seen may differ from the level as those seen do from each other."""
    variance = UNSEEN / (1 + visited) ** 3
    never = np.flatnonzero((visited < SEEN) & (s.level[COST] > UNKNOWN))
    if never.size:
        variance[never] = np.maximum(_apart(s, never), NEVER)
    return np.asarray(variance)


def _apart(s: State, which: npt.NDArray[np.intp]) -> Array:
    """[which] how far the hours of week that were seen lie apart: the variance of their logarithms, of an hour without
    a request as of one with half of one."""
    count = which.size
    which = np.resize(which, -(-count // LANES) * LANES)  # a result does not depend on how many there are
    weight = WEIGHTS[s.visits[:, which]]
    seen = weight > 0
    least = 0.5 * np.exp(-s.level[EVENTS, which])
    logs = np.log(np.maximum(s.num[EVENTS][:, which] / np.maximum(weight, SEEN), least)) * seen
    hours = np.maximum(seen.sum(axis=0), 1)
    mean = logs.sum(axis=0) / hours
    return np.asarray((((logs - mean) ** 2 * seen).sum(axis=0) / hours)[:count])


def begin_hour(s: State, at: int) -> None:
    """Lay the line of the hour that begins at minute `at`, from the middles of its neighbours to its own."""
    scale = np.exp(s.level) / 60 * (s.level > UNKNOWN)
    here, visited = season(s, hour_of_week(at))
    before, _ = season(s, hour_of_week(at - 60))
    after, _ = season(s, hour_of_week(at + 60))
    here, before, after = here * scale, before * scale, after * scale
    for part, (left, right, first) in enumerate(((before, here, 30.5), (here, after, -29.5))):
        steep = np.maximum(left, right) > STEP * np.minimum(left, right)
        slope = np.where(steep, 0.0, (right - left) / 60)
        s.line[2 * part] = np.where(steep, here, left + slope * first)
        s.line[2 * part + 1] = slope
    strange = unseen(s, visited)
    s.unseen_before[:] = np.maximum(s.unseen - strange, 0)
    s.unseen[:] = strange
    peak = np.log(np.maximum(here, TINY) / np.maximum(np.maximum(before, after), TINY))
    once = np.clip(peak, 0, PEAK_MOST) ** 2 * (visited < OFTEN)
    for unsure, tau2, more in (
        (s.unsure, s.tau2[:, 3], strange + once),
        (s.unsure_up, upward(s.tau2[:, 3], s.tau2_up[:, 3]), strange),
    ):
        unsure[:] = (tau2 + 0.01) / (visited + 1.5) + more


def usual_minute(s: State, minute: int) -> Array:
    """[measures, series] what minute 0 to 59 of this hour usually holds."""
    part = 0 if minute < 30 else 2
    return np.asarray(np.maximum(s.line[part] + s.line[part + 1] * np.float32(minute), 0.0), dtype=np.float32)


def learn_hour(s: State, at: int, actual: Array, usual: Array, sigma: Array, may: Array) -> None:
    """The hour that began at minute `at` is over: [measures, series] sums, noise of their logarithm, and which series
    may learn from it (1.0 or 0.0)."""
    bin_ = hour_of_week(at)
    young = (s.age <= 24) | (s.level <= UNKNOWN)  # [measures, series]
    low, high = usual * np.exp(-2.5 * sigma), usual * np.exp(2.5 * sigma)
    taken = np.where(young | (usual <= TINY), actual, np.clip(actual, low, high))
    settled = may * ~young * ((s.visits[bin_] > 0) | (s.age > 168))
    s.day_x += taken * np.where(young, may, settled)
    s.day_e += np.where(young, may, usual * settled)
    first = young & (may > 0)
    if first.any():
        _first_day(s, first)
    weight = np.exp(-s.level) * (s.level > UNKNOWN)
    keep = 1 - may * (1 - FORGET)
    s.num[:, bin_] = np.minimum(s.num[:, bin_] * keep + taken * weight * may, 6e4)
    learned = (may > 0) & (s.level > UNKNOWN).any(axis=0) & (s.visits[bin_] < len(WEIGHTS) - 1)
    s.visits[bin_] += learned


def _first_day(s: State, first: Array) -> None:
    """A young series' level is the mean of its hours so far; the bins it has are put in its terms."""
    mean = s.day_x / np.maximum(s.day_e, 1.0)
    new = np.where(first & (mean > TINY), np.log(np.maximum(mean, TINY)), s.level)
    moved = np.where(s.level > UNKNOWN, np.exp(s.level - new), 1.0)
    columns = np.flatnonzero((first & (np.abs(moved - 1) > 0)).any(axis=0))
    s.num[:, :, columns] = np.minimum(s.num[:, :, columns] * moved[:, None, columns], 6e4)
    s.level[:] = new


def learn_day(s: State, sigma: Array, may: Array) -> None:
    """A day is over: the level follows what it held beyond what was usual."""
    old = (s.age > 24) & (s.level > UNKNOWN)
    whole = s.day_e > TINY
    gain = np.where(whole & old, np.log(np.maximum(s.day_x, TINY) / np.maximum(s.day_e, TINY)), 0.0)
    gain = np.clip(gain, -3 * sigma, 3 * sigma) * may
    days = s.age / 24.0
    rate = np.maximum(LEVEL_RATE, 1 / (days + 1))
    s.level[:] += np.where(old, rate * gain + s.trend, 0.0)
    trend = DAMPING * s.trend + np.where(days > 7, TREND_RATE, 0.0) * gain
    s.trend[:] = np.clip(trend, -TREND_MOST, TREND_MOST) * (may > 0) + s.trend * (may <= 0)
    keep = s.age < 24
    s.day_x *= keep
    s.day_e *= keep

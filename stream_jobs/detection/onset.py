"""Where a finding began, and where it was over: the instants for which what lies between is least likely when nothing
is wrong."""

from typing import Final

import numpy as np

from stream_jobs.detection import kinds
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import COST, EVENTS, FIRST_DAYS, FIRST_HOURS, LENGTH, N_FAST, SILENCE
from stream_jobs.detection.state import MINUTES, PARTIAL, PAST_HOURS, QUANTUM

MINUTE, HOUR = 0, N_FAST - 1  # windows
THREE_HOURS: Final = FIRST_HOURS + 2
TINY: Final = 1e-12
MOST: Final = 80.0  # of a logarithm
STEPS: Final = 8
LEAST_MOVE: Final = 0.1
"""Of the logarithm: what differs less from the usual has no end to be seen."""


def onset(d: Frame, i: int, scale: int, side: int) -> int:
    """The minute; within the last hour by minutes, else the hour in which the sum of deviates is largest for its
    length, where that is more than a window of minutes shows."""
    s, at = d.state, d.at
    if scale == SILENCE:
        return int(s.last[i]) + 1
    minutes = minute(d, i, side)
    if scale <= FIRST_HOURS and minutes > at + 1 - MINUTES:
        return minutes
    most = LENGTH[max(scale, THREE_HOURS)] // MINUTES if scale < FIRST_DAYS else s.hours_z.shape[1]
    sums = s.hours_z[:, : most * 2 if scale < FIRST_DAYS else most, i].astype(float) / QUANTUM * side
    part, told2 = _present(d, i, side)
    lengths = np.arange(1, sums.shape[1] + 1) + told2[:, None]
    gain = (np.cumsum(sums, axis=1) + part[:, None]) / np.sqrt(lengths)
    measure = COST if gain[COST].max() >= gain[EVENTS].max() else EVENTS
    best, most_gain = int(np.argmax(gain[measure])) + 1, float(gain[measure].max())
    hour = at // MINUTES - best if not d.hour_pushed else at // MINUTES - best + 1
    if most_gain <= 0 or (scale < FIRST_DAYS and float((d.z[:, :N_FAST, i] * side).max()) > most_gain):
        return minutes  # a window of minutes shows more
    return hour * MINUTES


def _present(d: Frame, i: int, side: int) -> tuple[Array, Array]:
    """[measures] the deviate of the present hour so far, weighed by what it tells, and its weight's square."""
    told2 = np.minimum(d.state.hour_v[:, i] / d.variance[:, PARTIAL, i], 1.0) * (not d.hour_pushed)
    return np.asarray(np.clip(d.z[:, PARTIAL, i] * side, -4, 4) * np.sqrt(told2)), np.asarray(told2)


def minute(d: Frame, i: int, side: int) -> int:
    """Of the last 60 minutes that in which the level of series `i` changed: from it on they are likeliest at a level of
    their own, before it at about the usual one, by Poisson's likelihoods. How far the level before it may be off, and
    how much minutes differ beyond counting, are the noise that was learned: an hour that is a little high is no start
    of a rise within it."""
    s, at = d.state, d.at
    slots = [(at - back) % MINUTES for back in range(MINUTES)]
    best, length = 0.0, 1
    for measure in _telling(d, i, side):
        x, e = s.ring_x[measure, slots, i].astype(float), s.ring_e[measure, slots, i].astype(float)
        actual, usual = np.cumsum(x), np.maximum(np.cumsum(e), TINY)
        before_x, before_e = np.maximum(actual[-1] - actual, 0), np.maximum(usual[-1] - usual, 0)
        noise = float(s.tau2[measure, MINUTE, i] - s.tau2[measure, HOUR, i])
        unit = float(s.phi[measure, i]) + max(noise, 0.0) * float(usual[-1]) / MINUTES
        hour = float(s.tau2[measure, HOUR, i] + s.unsure[measure, i])
        off = _off(before_x / unit, before_e / unit, hour)
        own = np.log(np.maximum(actual / usual, TINY))
        gain = (_gain(actual, usual, own) + _gain(before_x, before_e, off)) / unit - off * off / (2 * hour)
        gain = np.where(side * own > np.maximum(side * off, 0), gain, 0.0)
        if gain.max() > best:
            best, length = float(gain.max()), int(np.argmax(gain)) + 1
    return at + 1 - length


def _telling(d: Frame, i: int, side: int) -> tuple[int, ...]:
    """The measures that tell where a level changed: requests of another kind do not."""
    differ = kinds.differ_in_windows(d, slice(HOUR, HOUR + 1), np.array([i]), np.array(side))
    return (COST,) if differ[0, 0] else (COST, EVENTS)


def _gain(actual: Array, usual: Array, off: Array) -> Array:
    """The logarithm of Poisson's likelihood ratio of e^off times the usual against the usual."""
    return np.asarray(actual * off - usual * np.expm1(off))


def _off(actual: Array, usual: Array, tau2: float) -> Array:
    """The likeliest logarithm of a level that is normal with variance `tau2`, by Newton's steps from above: it is less
    than both that of what came for what was usual, and what came times the variance."""
    usual = np.maximum(usual, TINY)
    off = np.clip(np.minimum(np.log(np.maximum(actual, TINY) / usual), actual * tau2), 0.0, MOST)
    for _ in range(STEPS):
        expected = usual * np.exp(off)
        off = off - (off / tau2 + expected - actual) / (1 / tau2 + expected)
    return np.asarray(off)


def over_by_minutes(d: Frame, i: int) -> int:
    """The minute from which on series `i` is as usual again, by those of the last hour: up to it they are likeliest at
    the finding's level, from it on at the usual one, by Poisson's likelihoods in units of a request. The first of them
    where none is."""
    s, at = d.state, d.at
    first = max(int(s.begun[i]), at + 1 - MINUTES)
    slots = [one % MINUTES for one in range(first, at + 1)]
    ended, best = first, 0.0
    ground = float(np.exp(s.ground[i]))  # the level that is the usual one while it lasts
    for measure in _telling(d, i, int(s.side[i])):
        actual, usual = s.ring_x[measure, slots, i].astype(float), s.ring_e[measure, slots, i].astype(float)
        held = len(slots) - int(s.calm[i])  # minutes that hold some of it; the last of them may be usual already
        for _ in range(2):
            ratio = max(float(actual[:held].sum()), 1e-3) / max(float(usual[:held].sum()), 1e-12) if held > 0 else 1.0
            if np.log(ratio / ground) * int(s.side[i]) < LEAST_MOVE:
                break
            gain = np.cumsum(actual * np.log(ratio / ground) - (ratio - ground) * usual) / s.phi[measure, i]
            held = int(np.argmax(gain)) + 1 if gain.max() > 0 else 0
            if held and gain.max() > best:
                best, ended = float(gain.max()), first + held
    return ended


def over_by_hours(d: Frame, i: int, measure: int, shift: float) -> int:
    """The same by whole hours: up to where the likelihood ratio of their deviates, shifted by `shift` towards the
    finding's side against usual, is greatest."""
    s = d.state
    until = d.hours_past
    hours = min(until - int(s.begun[i]) // MINUTES, PAST_HOURS)
    sided = s.hours_z[measure, :hours, i][::-1].astype(float) / QUANTUM * int(s.side[i])
    gain = np.cumsum(shift * (sided - shift / 2))
    best = int(np.argmax(gain)) + 1 if hours and gain.max() > 0 else 0
    return max((until - hours + best) * MINUTES, int(s.begun[i]) + 1)

"""Where a finding began, and where it was over: the instants for which what lies between is least likely when nothing
is wrong."""

from typing import Final

import numpy as np

from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import COST, EVENTS, FIRST_DAYS, FIRST_HOURS, LENGTH, SILENCE
from stream_jobs.detection.state import MINUTES, PAST_HOURS, QUANTUM

LEAST_MOVE: Final = 0.1
"""Of the logarithm: what differs less from the usual has no end to be seen."""


def onset(d: Frame, i: int, scale: int, side: int) -> int:
    """The minute; within the last hour by minutes, else the hour in which the sum of deviates is largest for its
    length."""
    s, at = d.state, d.at
    if scale == SILENCE:
        return int(s.last[i]) + 1
    minutes = _minute(d, i, side)
    if scale <= FIRST_HOURS:
        return minutes
    most = LENGTH[scale] // MINUTES if scale < FIRST_DAYS else s.hours_z.shape[1]
    sums = s.hours_z[:, : most * 2 if scale < FIRST_DAYS else most, i].astype(float) / QUANTUM * side
    lengths = np.arange(1, sums.shape[1] + 1)
    gain = np.cumsum(sums, axis=1) / np.sqrt(lengths + 1)
    measure = COST if gain[COST].max() >= gain[EVENTS].max() else EVENTS
    best = int(np.argmax(gain[measure])) + 1
    hour = at // MINUTES - best if not d.hour_pushed else at // MINUTES - best + 1
    if gain[measure].max() <= 0:
        return minutes
    return hour * MINUTES


def _minute(d: Frame, i: int, side: int) -> int:
    """Of the last 60 minutes: Poisson's likelihood ratio of a level that changed there, in units of a request."""
    s, at = d.state, d.at
    slots = [(at - back) % MINUTES for back in range(MINUTES)]
    best, length = 0.0, 1
    for measure in (COST, EVENTS):
        actual = np.cumsum(s.ring_x[measure, slots, i].astype(float))
        usual = np.maximum(np.cumsum(s.ring_e[measure, slots, i].astype(float)), 1e-12)
        ratio = np.maximum(actual / usual, 1e-9)
        gain = usual * (ratio * np.log(ratio) - ratio + 1) / s.phi[measure, i] * ((ratio > 1) == (side > 0))
        if gain.max() > best:
            best, length = float(gain.max()), int(np.argmax(gain)) + 1
    return at + 1 - length


def over_by_minutes(d: Frame, i: int) -> int:
    """The minute from which on series `i` is as usual again, by those of the last hour: up to it they are likeliest at
    the finding's level, from it on at the usual one, by Poisson's likelihoods in units of a request. The first of them
    where none is."""
    s, at = d.state, d.at
    first = max(int(s.begun[i]), at + 1 - MINUTES)
    slots = [minute % MINUTES for minute in range(first, at + 1)]
    ended, best = first, 0.0
    for measure in (COST, EVENTS):
        actual, usual = s.ring_x[measure, slots, i].astype(float), s.ring_e[measure, slots, i].astype(float)
        held = len(slots) - int(s.calm[i])  # minutes that hold some of it; the last of them may be usual already
        for _ in range(2):
            ratio = max(float(actual[:held].sum()), 1e-3) / max(float(usual[:held].sum()), 1e-12) if held > 0 else 1.0
            if np.log(ratio) * int(s.side[i]) < LEAST_MOVE:
                break
            gain = np.cumsum(actual * np.log(ratio) - (ratio - 1) * usual) / s.phi[measure, i]
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

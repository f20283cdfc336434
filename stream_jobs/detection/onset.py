"""Where it began: the begin for which what followed is least likely when nothing is wrong."""

import numpy as np

from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import COST, EVENTS, FIRST_DAYS, FIRST_HOURS, LENGTH, SILENCE
from stream_jobs.detection.state import MINUTES, QUANTUM


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

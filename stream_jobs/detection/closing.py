"""A finding closes: when it is over, where it was, and what is left of it."""

from typing import Final

import numpy as np

from stream_jobs.detection import figures, newcomers, relearning
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Closing, Finding
from stream_jobs.detection.onset import minute, over_by_hours, over_by_minutes
from stream_jobs.detection.scales import COST, FIRST_HOURS, MEASURES, SILENCE
from stream_jobs.detection.state import MINUTES, QUANTUM

EASE_NATS: Final = 5.0
LEAST_SHIFT: Final = 0.3  # standard deviations of an hour
STRONG: Final = 3.2  # a shift that every hour shows


def ease(d: Frame, i: int, deviates: Array) -> list[Finding]:
    """A finding that is weak hour by hour is over when its last hours are likelier usual than shifted as it was: a
    CUSUM of the likelihood ratio of normal deviates with mean 0 against mean `shift`."""
    s = d.state
    shift = _shift(d, i)
    measure = int(np.argmax(shift))
    mean = max(float(shift[measure]), LEAST_SHIFT)
    sided = float(np.clip((deviates[measure] - s.mean_z[measure, i]) * s.side[i], -4, 4))
    s.ease[i] = max(0.0, float(s.ease[i]) + mean * (mean / 2 - sided))
    if is_weak(d, i) and s.ease[i] >= EASE_NATS:
        return [close(d, i, "over")]
    return []


def is_weak(d: Frame, i: int) -> bool:
    """Windows of minutes do not tell whether it is over."""
    s = d.state
    if newcomers.is_open(s, i):
        return False
    if FIRST_HOURS < s.scale[i] < SILENCE:
        return True
    return d.at + 1 - int(s.begun[i]) >= 3 * MINUTES and float(_shift(d, i).max()) < STRONG


def _shift(d: Frame, i: int) -> Array:
    """[measures] the mean deviate, towards the finding's side, of the whole hours within it; 0 when it has none."""
    s = d.state
    hours = min(d.hours_past - -(-int(s.begun[i]) // MINUTES), s.hours_z.shape[1])
    if hours < 1:
        return np.zeros(MEASURES)
    return np.array([figures.total(s.hours_z[m, :hours, i]) / QUANTUM / hours * s.side[i] for m in range(MEASURES)])


def close(d: Frame, i: int, closing: Closing, until: int | None = None) -> Finding:
    """The finding of series `i` is no more: as it ended, or, where something else began in minute `until`, there."""
    s = d.state
    begun = int(s.begun[i])
    end = until or (_over(d, i) if closing == "over" else d.at + 1)
    _take_off(d, i, end)
    made = figures.finding(d, i, end, closing)
    of_peers = newcomers.is_open(s, i) and closing == "over"
    s.side[i], s.calm[i], s.closed[i] = 0, 0, d.at
    relearning.excise(d, i, begun, until=until)
    if of_peers:
        newcomers.excise(d, i)
    return made


def _over(d: Frame, i: int) -> int:
    """The minute from which on series `i` was as usual again, not before it was told: within the last hour, or the
    first of an hour."""
    s, until = d.state, d.at + 1
    if newcomers.is_open(s, i):
        return max(newcomers.ended(d, i), int(s.begun[i]) + 1)
    if not is_weak(d, i):
        ended = over_by_minutes(d, i)
        if ended > max(int(s.begun[i]), until - MINUTES):
            return max(ended, int(s.told[i]))
    shift = _shift(d, i)
    measure = int(np.argmax(shift))
    ended = over_by_hours(d, i, measure, max(float(shift[measure]), LEAST_SHIFT))
    told = int(s.told[i])
    return min(max(ended, told if until - told <= MINUTES else -(-told // MINUTES) * MINUTES), until)


def _take_off(d: Frame, i: int, end: int) -> None:
    """What came after its end is none of its cost."""
    s, at = d.state, d.at
    after = at + 1 - end
    if after > 0:
        actual, usual = figures.since(d, i, end)
        if newcomers.is_open(s, i):
            usual = float(s.peer[i]) / MINUTES * after
        s.sum_x[i], s.sum_e[i] = s.sum_x[i] - actual, s.sum_e[i] - usual


def adopt(d: Frame, i: int, burst: bool = False) -> list[Finding]:
    """The level of the last day (or since it began) is the normal. `burst`: until the last minutes, which are far
    beyond it."""
    s = d.state
    if newcomers.is_open(s, i):  # it was learned meanwhile
        made = close(d, i, "new_normal")
        s.peer[i] = 0
        return [made]
    begun = int(s.begun[i])
    hours = min(max((d.at + 1 - begun) // MINUTES, 1), 24)
    shifted = [0.0] * MEASURES
    for measure in range(MEASURES):
        actual, usual = figures.total(s.past_x[measure, :hours, i]), figures.total(s.past_e[measure, :hours, i])
        if usual > 0 and s.level[measure, i] > -90:
            moved = float(np.clip(np.log(max(actual, 1e-300) / usual), -5, 12))
            relearning.move(d, i, measure, moved)
            shifted[measure] = moved
            s.trend[measure, i] = 0
    s.moved[:, i], s.moved_at[i] = shifted, d.at
    until = max(minute(d, i, 1), int(s.told[i])) if burst else d.at + 1
    actual, usual = figures.since(d, i, until) if burst else (0.0, 0.0)
    s.sum_x[i], s.sum_e[i] = s.sum_x[i] - actual, s.sum_e[i] - usual / np.exp(shifted[COST])
    closed = figures.finding(d, i, until, "new_normal")
    s.side[i], s.calm[i], s.closed[i], s.gap[i] = 0, 0, min(until, d.at), 0
    relearning.excise(d, i, begun, shifted, until if burst else None)
    return [closed]

"""A finding closes: when it is over, where it was, and what is left of it."""

from typing import Final

import numpy as np

from stream_jobs.detection import figures, kinds, newcomers, price, relearning
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.beginning import begin
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Closing, Finding
from stream_jobs.detection.onset import over_by_hours, over_by_minutes
from stream_jobs.detection.scales import COST, EVENTS, FIRST_HOURS, MEASURES, SILENCE
from stream_jobs.detection.state import MINUTES, QUANTUM, State

EASE_NATS: Final = 7.0
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
    if is_weak(d, i) and s.ease[i] >= EASE_NATS and not is_silent(s, i):
        return end(d, i)
    return []


def is_weak(d: Frame, i: int) -> bool:
    """Windows of minutes do not tell whether it is over."""
    s = d.state
    if newcomers.is_open(s, i):
        return False
    if s.kind[i] == figures.SILENCE_KIND:
        return is_silent(s, i)
    if FIRST_HOURS < s.scale[i] < SILENCE:
        return True
    return d.at + 1 - int(s.begun[i]) >= 3 * MINUTES and float(_shift(d, i).max()) < STRONG


def is_silent(s: State, i: int) -> bool:
    """No request has come since the silence that is open was told: however little is due meanwhile, it goes on."""
    return bool(s.kind[i] == figures.SILENCE_KIND and s.last[i] < s.told[i])


def _shift(d: Frame, i: int) -> Array:
    """[measures] the mean deviate, towards the finding's side, of the whole hours from its beginning to where it is
    likeliest to have ended (the greatest likelihood of a level of their own); 0 when it has none. Of all hours, those
    after it and nights that tell nothing would dilute it until nothing ends it."""
    s = d.state
    hours = min(d.hours_past - -(-int(s.begun[i]) // MINUTES), s.hours_z.shape[1])
    if hours < 1:
        return np.zeros(MEASURES)
    sums = np.cumsum(s.hours_z[:, :hours, i][:, ::-1].astype(float), axis=1) / QUANTUM * int(s.side[i])
    means = sums / np.arange(1, hours + 1)
    best = np.argmax(np.where(sums > 0, sums * means, 0.0), axis=1)
    shift = np.maximum(means[np.arange(MEASURES), best], 0.0)
    past = slice(0, min(hours, s.past_x.shape[1]))
    x, e = (held[:, past, i].sum(axis=1, dtype=float) for held in (s.past_x, s.past_e))
    shift[EVENTS] *= not kinds.differ(x, e, s.phi[COST, i], s.side[i])
    return np.asarray(shift)


def end(d: Frame, i: int) -> list[Finding]:
    """The finding of series `i` is over; where it was a burst within a shift, or a silence within a drop, that goes
    on."""
    s = d.state
    if not s.ground[i]:
        return [close(d, i, "over")]
    until = min(_over(d, i), d.at)
    if s.side[i] < 0 and _since(d, i, until) > s.ground[i] / 2:  # all is as usual again
        return [close(d, i, "over")]
    over = close(d, i, "over", until)
    return [over, _shift_again(d, i, until)]


def _since(d: Frame, i: int, begun: int) -> float:
    """The level of requests from minute `begun` of the last hour on, a logarithm beyond the usual."""
    slots = [at % MINUTES for at in range(max(begun, d.at + 1 - MINUTES), d.at + 1)]
    actual, usual = (figures.total(ring[EVENTS, slots, i]) for ring in (d.state.ring_x, d.state.ring_e))
    return float(np.log(max(actual, 1e-9) / max(usual, 1e-9)))


def _shift_again(d: Frame, i: int, begun: int) -> Finding:
    """The shift or the drop within which a burst or a silence was goes on from minute `begun` on, where that was
    over."""
    score, sums = float(d.state.score[i]), figures.since(d, i, begun)
    if d.state.kind[i] == figures.SILENCE_KIND:  # windows of minutes may not show what is left of so few
        return begin(d, i, -1, figures.DROP, begun, FIRST_HOURS + 1, sums, score)
    return begin(d, i, 1, figures.SHIFT, begun, FIRST_HOURS, sums, score)


def close(d: Frame, i: int, closing: Closing, until: int | None = None) -> Finding:
    """The finding of series `i` is no more: as it ended, or, where something else began in minute `until`, there."""
    s = d.state
    begun = int(s.begun[i])
    end = until or (_over(d, i) if closing == "over" else d.at + 1)
    _take_off(d, i, end)
    made = figures.finding(d, i, end, closing)
    of_peers = newcomers.is_open(s, i) and closing == "over"
    s.side[i], s.calm[i], s.closed[i], s.ground[i] = 0, 0, d.at, 0
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
        # where nothing came, sums of single precision leave less than nothing
        s.sum_x[i], s.sum_e[i] = max(float(s.sum_x[i]) - actual, 0.0), max(float(s.sum_e[i]) - usual, 0.0)


def adopt(d: Frame, i: int) -> list[Finding]:
    """The level of the last day (or since it began) is the normal."""
    s = d.state
    if newcomers.is_open(s, i):  # it was learned meanwhile
        made = close(d, i, "new_normal")
        s.peer[i] = 0
        return [made]
    begun = int(s.begun[i])
    hours = min(max((d.at + 1 - begun) // MINUTES, 1), 24)
    came = [figures.total(s.past_x[measure, :hours, i]) for measure in range(MEASURES)]
    shifted = [0.0] * MEASURES
    for measure in range(MEASURES):
        usual = figures.total(s.past_e[measure, :hours, i])
        if usual > 0 and s.level[measure, i] > -90:
            moved = float(np.clip(np.log(max(came[measure], 1e-300) / usual), -5, 12))
            relearning.move(d, i, measure, moved)
            shifted[measure] = moved
            s.trend[measure, i] = 0
    s.moved[:, i], s.moved_at[i] = shifted, d.at
    closed = figures.finding(d, i, d.at + 1, "new_normal")
    dearer = shifted[COST] - shifted[EVENTS]
    if price.was_free(dearer, came[EVENTS]):
        price.as_requests(d, i, came[COST], came[EVENTS])
        shifted = [shifted[EVENTS]] * MEASURES
    else:
        price.change(d, i, dearer, came[COST], came[EVENTS])
    s.side[i], s.calm[i], s.closed[i], s.gap[i], s.ground[i] = 0, 0, d.at, 0, 0
    relearning.excise(d, i, begun, shifted)
    return [closed]

"""The life of findings: at most one is open in a series; scales that see the same thing extend it; it closes when the
scale that told it is as usual again, or when it has lasted so long that it is the usual.

When it closes, its stretch is taken out of all windows (as usual a minute as any), so that neither its trailing edge
nor the longer windows tell it again.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import calibration, closing, figures, kinds, newcomers, onset, opening, ramp
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.figures import DAY, DROP, RAMP_KIND, SHIFT, SILENCE_KIND, SPIKE
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Finding
from stream_jobs.detection.scales import COST, EVENTS, FIRST_DAYS, N_FAST, SILENCE
from stream_jobs.detection.state import MINUTES
from stream_jobs.detection.thresholds import nats

CALM_BELOW: Final = (1.0, 2.5)
UP_PART: Final = 0.4
DOWN_PART: Final = 0.32
CALM_MINUTES: Final = 20
GOES_ON: Final = 1.0  # of them: with less, the last hours are as the finding was
FIVE, QUARTER = 1, 2  # windows
MOST_DAYS: Final = 28  # that a ramp may go on before its level is the normal


def advance(
    d: Frame,
    hits: npt.NDArray[np.bool_],
    dear: npt.NDArray[np.intp],
    x: Array,
    e: Array,
    known: npt.NDArray[np.bool_] | None,
) -> list[Finding]:
    """A minute's part."""
    s = d.state
    found: list[Finding] = [figures.dear_request(d, int(i)) for i in dear if s.side[i] == 0]
    open_ = np.flatnonzero(s.side)
    if open_.size:
        found += _go_on(d, open_, x, e, known)
    strange = newcomers.beyond(s, d.config)
    for i in np.flatnonzero((hits | strange) & (s.side == 0)):
        opened = opening.newcomer(d, int(i)) if strange[i] else opening.opened(d, int(i), hourly=False)
        if opened is not None:
            found.append(opened)
    return found


def end_hour(d: Frame, deviates: Array) -> list[Finding]:
    """When an hour ends: whether findings are over; windows of days, and the ramp. `deviates`: [measures, series] of
    it."""
    s = d.state
    found = [over for i in np.flatnonzero(s.side) for over in closing.ease(d, int(i), deviates[:, i])]
    sums = calibration.hourly(s)[:, FIRST_DAYS - N_FAST :]
    hits = ((sums > d.state.limit_up[:, FIRST_DAYS:]) | (sums < d.state.limit_down[:, FIRST_DAYS:])).any(axis=(0, 1))
    tried = (opening.opened(d, int(i), hourly=True) for i in np.flatnonzero(hits & (s.side == 0)))
    return found + [finding for finding in tried if finding is not None]


def _go_on(
    d: Frame, open_: npt.NDArray[np.intp], x: Array, e: Array, known: npt.NDArray[np.bool_] | None
) -> list[Finding]:
    s = d.state
    s.sum_x[open_] += x[0, open_]
    s.sum_e[open_] += newcomers.usual_minute(s, e[0], open_)
    deviates, sums = figures.deviates(d, open_, hourly=False)
    sided = deviates * s.side[open_]
    near, nearer = (_near(d, open_, sided, row) for row in (QUARTER, FIVE))
    below = _calm_below(d, open_)
    calm = newcomers.calm(s, d.config, open_, (near < below) & (nearer < below + 0.5))
    if known is not None:
        calm &= known[open_]
        s.calm[open_] = np.where(known[open_], np.where(calm, s.calm[open_] + 1, 0), s.calm[open_])
    else:
        s.calm[open_] = np.where(calm, s.calm[open_] + 1, 0)
    worst = sided.max(axis=(0, 1))
    s.score[open_] = np.maximum(s.score[open_], nats(worst))
    found: list[Finding] = []
    for i, turns in zip(open_.tolist(), opening.turns(d, open_, sums), strict=True):
        if turns:
            found += _turn(d, i)
        else:
            found += _within(d, i) or _check(d, i, figures.usual_day_of(s, i))
    return found


def _within(d: Frame, i: int) -> list[Finding]:
    """A burst within a shift or a ramp, and a silence within a drop, are told by themselves: what they are in is over
    where they begin, and goes on where they end."""
    s = d.state
    if s.side[i] > 0 and s.kind[i] in (SHIFT, RAMP_KIND) and (burst := opening.burst(d, i)):
        begun = max(onset.minute(d, i, 1), int(s.told[i]))
        over = closing.close(d, i, "over", begun)
        opened = opening.burst_opened(d, i, *burst, begun)
    elif s.side[i] < 0 and s.kind[i] in (DROP, RAMP_KIND) and (level := opening.falls_silent(d, i)):
        begun = max(int(s.last[i]) + 1, int(s.told[i]))
        over = closing.close(d, i, "over", begun)
        opened = opening.silence_opened(d, i, level, begun)
    else:
        return []
    return [over] if opened is None else [over, opened]


def _near(d: Frame, which: npt.NDArray[np.intp], sided: Array, row: int) -> Array:
    """[which] how far a window is on the finding's side, requests of another kind aside; of a burst within a shift,
    beyond the shift by its cost."""
    s = d.state
    differ = kinds.differ_in_windows(d, slice(row, row + 1), which, s.side[which])[0]
    events = np.where(differ, -np.inf, sided[EVENTS, row])
    ground = s.ground[which] / np.sqrt(d.variance[COST, row, which] * s.spread[0, COST, row, which])
    return np.asarray(np.where(ground > 0, sided[COST, row] - ground, np.maximum(sided[COST, row], events)))


def _turn(d: Frame, i: int) -> list[Finding]:
    """The opposite of what is open is news: that is over where this began."""
    s, side = d.state, -int(d.state.side[i])
    first = max(int(s.begun[i]) + 1, int(s.told[i]))
    begun = min(max(onset.minute(d, i, side), first), d.at)
    over = closing.close(d, i, "over", begun)
    opened = opening.turned(d, i, side, begun)
    return [over] if opened is None else [over, opened]


def _calm_below(d: Frame, which: npt.NDArray[np.intp]) -> Array:
    """[which] the deviate below which a window is rather usual than as the finding was: what was far off is over also
    where the hour after it is a busy or a calm one. Upwards by the mean of what it held (its worst minute would end a
    moderate one early), downwards as far as a window without a request is."""
    s = d.state
    mean = np.log(np.maximum(s.sum_x[which], 1e-30) / np.maximum(s.sum_e[which], 1e-30))
    mean = mean / np.sqrt(d.variance[COST, 2, which])
    tau2 = s.tau2[EVENTS, 2, which] + s.unsure[EVENTS, which]
    nothing = np.sqrt(2 * np.log1p(tau2 * s.win_e[EVENTS, 2, which]) / tau2)
    down = np.minimum(np.sqrt(2 * s.score[which]), nothing)
    return np.asarray(np.clip(np.where(s.side[which] > 0, UP_PART * mean, DOWN_PART * down), *CALM_BELOW))


def _is_back_in_part(d: Frame, i: int) -> bool:
    """Requests come again where a silence was told, for a while, but not as many as usual."""
    s = d.state
    if s.last[i] < s.told[i] or s.calm[i]:
        return False
    ago = min(d.at - int(s.told[i]), MINUTES - 1)
    since = next((back for back in range(ago, -1, -1) if s.ring_x[EVENTS, (d.at - back) % MINUTES, i] > 0), 0)
    return since >= CALM_MINUTES


def _is_over(d: Frame, i: int) -> bool:
    s = d.state
    if s.calm[i] >= CALM_MINUTES and not closing.is_weak(d, i):
        return True
    # what came since is on the other side
    return (s.sum_x[i] - s.sum_e[i]) * s.side[i] < 0 and not closing.is_silent(s, i)


def _check(d: Frame, i: int, day: float) -> list[Finding]:
    s = d.state
    lasted = d.at + 1 - int(s.begun[i])
    slow = FIRST_DAYS <= int(s.scale[i]) < SILENCE
    back = s.kind[i] == SILENCE_KIND and _is_back_in_part(d, i)
    if _is_over(d, i) or (back and s.ground[i]):
        return closing.end(d, i)
    if newcomers.is_open(s, i) and lasted >= DAY:
        return closing.adopt(d, i)
    if lasted >= (d.config.adopt_slow_minutes if slow else d.config.adopt_minutes):
        since = d.at + 1 - int(s.told[i])
        rises = slow and lasted < MOST_DAYS * DAY and ramp.still_rises(s, i)
        if not rises and s.ease[i] < GOES_ON and (not slow or since >= d.config.adopt_minutes):
            return closing.adopt(d, i)
    changed = False
    kind = DROP if back else figures.kind_of(d, i, int(s.scale[i]), int(s.side[i]), lasted)
    if kind != s.kind[i] and (back or s.kind[i] in (SPIKE, DROP)):
        s.kind[i], changed = kind, True
    level = figures.severity_of(d, i, day)
    if level > s.severity[i]:
        s.severity[i], changed = level, True
    if s.score[i] > 1.5 * s.told_score[i] + 5:
        changed = True
    if changed:
        s.told_score[i] = s.score[i]
        return [figures.finding(d, i)]
    return []

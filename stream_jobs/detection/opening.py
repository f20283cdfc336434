"""A finding opens in a series: which of the scales that are beyond their limits is news, and since when."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import figures, kinds, newcomers, price, ramp, relearning, sparse
from stream_jobs.detection import minutes as windows
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.beginning import begin
from stream_jobs.detection.calibration import UNITS
from stream_jobs.detection.figures import DAY
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Finding
from stream_jobs.detection.onset import onset
from stream_jobs.detection.scales import COST, EVENTS, FAST, FIRST_DAYS, FIRST_HOURS, MEASURES, N_FAST, RAMP, SILENCE
from stream_jobs.detection.state import MINUTES, NEW_SERIES, PARTIAL, RAMP_STEPS, row_of
from stream_jobs.detection.thresholds import nats, needed_nats, of_gap, sigmas

LEAST_EVENTS: Final = 5.0
MUCH, MUCH_HOURS = 0.25, 4  # of what a usual day costs, within hours
TURNING: Final = 1  # the first window that tells the opposite of an open finding: a minute may be a pause
STAYS: Final = 1.0  # a deviate beyond which a measure is still as the finding is
BURST_HOURS: Final = 5  # of a shift or a drop, that tell its level
BURST_TIMES: Final = 2.0  # that level: less belongs to the shift
LEAST_LEFT: Final = 0.1  # of the usual requests: with fewer a drop is next to a silence already
AGAIN_NATS: Final = 4.0  # more surprise is needed right after a close, fading over a day
REMEMBERED: Final = 28 * DAY
"""So long after a level was adopted, the one before it is still known."""
LEAST_RETURN: Final = 0.1  # of the logarithm: less is no other level
RETURNED: Final = (0.5, 1.3)  # parts of the way back
_WINDOWS: Final = np.array(FAST[TURNING:])[:, None]  # in minutes


def opened(d: Frame, i: int, hourly: bool) -> Finding | None:
    """Open a finding in series `i`, if one of the scales that are beyond their limits holds enough money and
    requests."""
    s = d.state
    deviates, sums = figures.deviates(d, np.array([i]), hourly)
    deviates, sums = deviates[:, :, 0], sums[:, :, 0]
    scales = sums.shape[1]
    over = np.where(sums > s.limit_up[:, :scales, i], deviates, 0) + np.where(
        sums < s.limit_down[:, :scales, i], deviates, 0
    )
    again = AGAIN_NATS * max(0.0, 1 - (d.at - float(s.closed[i])) / DAY)
    needed = needed_nats(d.config.budget)
    order = np.argsort(-np.abs(over), axis=None, kind="stable")
    for flat in order[:6]:
        measure, scale = divmod(int(flat), scales)
        value = float(over[measure, scale])
        if value == 0:
            break
        side = 1 if value > 0 else -1
        if measure == EVENTS and kinds.differ_in_scale(d, i, scale, side):
            continue
        if again and abs(value) < _harder(d, measure, scale, i, side, again):
            continue
        if not _is_news(d, i, side, measure, scale, value, float(needed[scale] + s.more[i])):
            continue
        opened = _open(d, i, measure, scale, side, float(nats(np.array(abs(value)))))
        if opened is not None:
            return opened
    return _silence(d, i)


def _silence(d: Frame, i: int, not_before: int | None = None) -> Finding | None:
    """Nobody calls any more, for longer than the series' own days let expect."""
    s = d.state
    if s.gap[i] <= s.limit_gap[i] or windows.is_usual_gap(s, i):
        return None
    tau2 = float(s.tau2[EVENTS, N_FAST - 1, i] + s.unsure[EVENTS, i])
    return _open(d, i, EVENTS, SILENCE, -1, float(of_gap(float(s.gap[i]), tau2)), not_before)


def _is_news(d: Frame, i: int, side: int, measure: int, scale: int, calibrated: float, needed: float) -> bool:
    """What is beyond the limit of a scale was not told again and again; a rise is one of enough requests."""
    s = d.state
    deviate = float(d.judged[measure, scale, i]) if scale <= FIRST_HOURS else calibrated
    if scale < FIRST_DAYS and windows.is_habit(s, i, side, measure, scale, deviate) and not _is_much(d, i, side):
        return False
    if side < 0:
        return True
    if scale <= FIRST_HOURS and s.win_x[EVENTS, scale, i] < LEAST_EVENTS:  # the row of the present hour follows
        return False
    if not sparse.is_news(d, i, scale, needed):
        return False
    if scale > FIRST_HOURS:
        return True
    return not (measure == COST and _by_one(d, i, scale)) and not windows.came_today(s, i, measure, scale, deviate)


def _is_much(d: Frame, i: int, side: int) -> bool:
    """The rise so far is worth telling however often the like of it was told: a leaked key that is used every night."""
    if side < 0:
        return False
    actual, usual = (float(of[COST]) for of in d.last_hours(i, MUCH_HOURS))
    return actual - usual > MUCH * figures.usual_day_of(d.state, i)


def turns(d: Frame, which: npt.NDArray[np.intp], sums: Array) -> npt.NDArray[np.bool_]:
    """[which] whether an open finding is over because the opposite is news: a window of some minutes is beyond its
    limit on the other side, and none of its measures on the finding's; or nobody calls any more. What was before the
    finding is not the opposite of it. `sums`: as limits are laid."""
    s, side = d.state, d.state.side[which]
    rows = slice(TURNING, N_FAST)
    sums = sums[:, rows] * side
    limit = np.where(side > 0, s.limit_down[:, rows, which], -s.limit_up[:, rows, which])
    far = sums < limit
    far[EVENTS] &= ~kinds.differ_in_windows(d, rows, which, -side)
    beyond = far.any(axis=0) & (sums.max(axis=0) < STAYS) & (d.at + 1 - s.begun[which] >= _WINDOWS)
    silent = (side > 0) & (s.gap[which] > s.limit_gap[which])
    return np.asarray((beyond.any(axis=0) | silent) & (s.kind[which] != NEW_SERIES))


def turned(d: Frame, i: int, side: int, begun: int) -> Finding | None:
    """The opposite of the finding of series `i` that was just closed, by the window of minutes that showed it, as
    it was before that. It began in minute `begun`."""
    s = d.state
    rows = slice(TURNING, N_FAST)
    sums = d.judged[:, rows, i] * side
    limits, spread = s.limits(side, i)[:, rows], s.spread[row_of(side)][:, rows, i]
    value = np.where(sums > limits, sums / np.sqrt(spread), 0.0)
    value[EVENTS] *= ~kinds.differ_in_windows(d, rows, np.array([i]), np.array(side))[:, 0]
    measure, row = divmod(int(np.argmax(value)), value.shape[1])
    opened = None
    if value.max() > 0:
        needed = float(needed_nats(d.config.budget)[row + TURNING] + s.more[i])
        if _is_news(d, i, side, measure, row + TURNING, float(value.max()) * side, needed):
            opened = _open(d, i, measure, row + TURNING, side, float(nats(np.array(value.max()))), begun)
    return _silence(d, i, begun) if opened is None and side < 0 else opened


def burst(d: Frame, i: int) -> tuple[int, float, float] | None:
    """The window of minutes that is beyond its limit against the level of the shift that is open in series `i`, too (by
    the whole hours since it began), its surprise in nats, and that level, a logarithm beyond the usual; or None."""
    s = d.state
    actual, usual = _so_far(d, i, COST)
    if min(actual, usual) <= 0:
        return None
    best, found, level = 0.0, None, float(np.log(actual / usual))
    for row in range(TURNING, N_FAST):
        x, e = float(s.win_x[COST, row, i]), float(s.win_e[COST, row, i]) * actual / usual
        if x <= BURST_TIMES * e or s.win_x[EVENTS, row, i] < LEAST_EVENTS:
            continue
        tau2 = float(windows.upward(s.tau2[COST, row, i], s.tau2_up[COST, row, i]) + s.unsure_up[COST, i])
        v = float(np.log1p(s.phi[COST, i] / max(e, 1e-300))) + tau2
        deviate = (float(np.log(x / max(e, 1e-300))) + v / 2) / v**0.5
        calibrated = deviate / float(s.spread[0, COST, row, i]) ** 0.5
        if deviate > s.limit_up[COST, row, i] and calibrated > best and not _by_one(d, i, row, actual / usual):
            best, found = calibrated, (row, float(nats(np.array(calibrated))), level)
    return found


def burst_opened(d: Frame, i: int, row: int, score: float, level: float, begun: int) -> Finding | None:
    """Once that shift is closed, in minute `begun`. It is over when the level of the shift is back."""
    return _on_ground(d, i, _open(d, i, COST, row, 1, score, begun), level)


def falls_silent(d: Frame, i: int) -> float | None:
    """Nobody calls any more where fewer than usual did: the level of those, a logarithm beyond the usual, by the whole
    hours since it began; or None."""
    s = d.state
    if s.gap[i] <= s.limit_gap[i]:
        return None
    actual, usual = _so_far(d, i, EVENTS)
    if not LEAST_LEFT * usual < actual < usual or s.gap[i] * actual <= s.limit_gap[i] * usual:
        return None
    return float(np.log(actual / usual))


def silence_opened(d: Frame, i: int, level: float, begun: int) -> Finding | None:
    """Once that drop is closed, in minute `begun`. It is over when requests come again; then the drop goes on."""
    return _on_ground(d, i, _silence(d, i, begun), level)


def _on_ground(d: Frame, i: int, opened: Finding | None, level: float) -> Finding | None:
    """What was opened is within something of that level, which goes on once it is over."""
    d.state.ground[i] = level if opened is not None else 0.0
    return opened


def _so_far(d: Frame, i: int, measure: int) -> tuple[float, float]:
    """What the whole hours since the open finding of series `i` began (of the last day) held, and what was usual; 0
    where they are fewer than BURST_HOURS."""
    s = d.state
    hours = min(d.hours_past - -(-int(s.begun[i]) // MINUTES), s.past_x.shape[1])
    if hours < BURST_HOURS:
        return 0.0, 0.0
    return figures.total(s.past_x[measure, :hours, i]), figures.total(s.past_e[measure, :hours, i])


def newcomer(d: Frame, i: int) -> Finding:
    s = d.state
    begun = newcomers.begun(d, i)
    sums = figures.since(d, i, begun)[0], float(s.peer[i]) / MINUTES * (d.at + 1 - begun)
    return begin(d, i, 1, NEW_SERIES, begun, N_FAST - 1, sums, newcomers.score(s, i, d.config))


def _by_one(d: Frame, i: int, scale: int, times: float = 1.0) -> bool:
    """The window is beyond its limit, of so many times the usual, for one dear request only."""
    s = d.state
    row = PARTIAL if scale == FIRST_HOURS else scale
    minutes = d.at % MINUTES + 1 if scale == FIRST_HOURS else FAST[scale]
    slots = [(d.at - back) % MINUTES for back in range(minutes)]
    dearest = windows.dearest(s.ring_dear[slots, i].max()) * float(s.phi[COST, i])
    left = float(s.win_x[COST, row, i]) - dearest
    usual, v = float(s.win_e[COST, row, i]) * times, float(d.variance[COST, row, i])
    if left <= 0 or usual <= 0:
        return True
    deviate = (np.log(left / usual) + v / 2) / np.sqrt(v)
    return bool(deviate < 0.85 * s.limit_up[COST, scale, i])


def _harder(d: Frame, measure: int, scale: int, i: int, side: int, more: float) -> float:
    limit, spread = d.state.limits(side, i)[measure, scale], d.state.spread[row_of(side), measure, scale, i]
    at = limit / UNITS[scale, 0] / np.sqrt(spread)
    return float(sigmas(nats(np.array(at)) + more))


def _open(
    d: Frame, i: int, measure: int, scale: int, side: int, score: float, not_before: int | None = None
) -> Finding | None:
    """`not_before`: the minute in which it may begin; None: when the last finding was closed."""
    s, config = d.state, d.config
    earliest = int(s.closed[i]) if not_before is None else not_before
    before: Sequence[float] = ()
    if scale == RAMP:
        begun, actual, usual, before = _ramp(d, i, measure, side)
    else:
        begun = min(max(onset(d, i, scale, side), earliest), d.at)
        actual, usual = figures.since(d, i, begun)
    if _returns(d, i, side, begun, actual, usual):
        return None
    excess = actual - usual
    minutes = d.at + 1 - begun
    day = figures.usual_day_of(s, i)
    per_day = excess * DAY / minutes
    if excess * side < max(config.floor_money, config.floor_share * day):
        return None
    slow = FIRST_DAYS <= scale < SILENCE
    if per_day * side < (config.floor_slow_share if slow else config.floor_rate_share) * day:
        return None
    kind = figures.kind_of(d, i, scale, side, minutes)
    if before:
        relearning.unlearn(d, i, before)
    if scale < FIRST_DAYS or scale == SILENCE:
        s.habit[row_of(side), i] += 1
    windows.learn_told(s, d.z, i, side)
    return begin(d, i, side, kind, begun, scale, (actual, usual), score)


def _returns(d: Frame, i: int, side: int, begun: int, actual: float, usual: float) -> bool:
    """The level before the one that was adopted is back, which is no news: it is the usual one again."""
    s = d.state
    back = -float(s.moved[COST, i])
    if d.at - int(s.moved_at[i]) > REMEMBERED or back * side < LEAST_RETURN or min(actual, usual) <= 0:
        return False
    gone = float(np.log(actual / usual)) / back
    if not RETURNED[0] <= gone <= RETURNED[1]:
        return False
    for measure in range(MEASURES):
        relearning.move(d, i, measure, -float(s.moved[measure, i]))
    price.change(d, i, float(s.moved[EVENTS, i] - s.moved[COST, i]))
    s.moved_at[i], s.closed[i] = -REMEMBERED, d.at
    whole = min(begun, d.at + 1 - MINUTES)  # the minutes before it were usual at the other level
    relearning.excise(d, i, whole, [-float(moved) for moved in s.moved[:, i]])
    return True


def _ramp(d: Frame, i: int, measure: int, side: int) -> tuple[int, float, float, list[float]]:
    """Of a ramp in series `i` that a measure shows: the minute in which it began, what it cost since then, what was
    usual at the level before it, and by how much the levels before differ from those now (of logarithms)."""
    s = d.state
    part = d.hours_past % 24  # hours of the day so far
    days = ramp.began(s, i, measure, side)
    before = [ramp.level_before(s, i, one, days) for one in range(MEASURES)]
    moved = [level - float(s.level[one, i]) for one, level in enumerate(before)]
    past = [figures.total(s.past_x[COST, :24, i]), *s.days_x[:, i].tolist()] if not part else s.days_x[:, i].tolist()
    actual, usual = (
        figures.total(s.past_x[COST, :part, i]),
        figures.total(s.past_e[COST, :part, i]) * float(np.exp(moved[COST])),
    )
    for held, level in zip(past[:days], (s.days_level[COST, :days, i] / RAMP_STEPS).tolist(), strict=False):
        actual, usual = actual + held, usual + held * float(np.exp(before[COST] - level))
    return (d.hours_past // 24 - days) * DAY, actual, usual, moved

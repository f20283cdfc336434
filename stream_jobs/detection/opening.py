"""A finding opens in a series: which of the scales that are beyond their limits is news, and since when."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream_jobs.detection import figures, newcomers, ramp, relearning, sparse
from stream_jobs.detection import minutes as windows
from stream_jobs.detection.calibration import UNITS
from stream_jobs.detection.figures import DAY
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Finding
from stream_jobs.detection.onset import onset
from stream_jobs.detection.scales import COST, EVENTS, FAST, FIRST_DAYS, FIRST_HOURS, MEASURES, N_FAST, RAMP, SILENCE
from stream_jobs.detection.state import MINUTES, NEW_SERIES, PARTIAL, RAMP_STEPS
from stream_jobs.detection.thresholds import nats, needed_nats, sigmas

LEAST_EVENTS: Final = 5.0
AGAIN_NATS: Final = 4.0  # more surprise is needed right after a close, fading over a day
REMEMBERED: Final = 28 * DAY
"""So long after a level was adopted, the one before it is still known."""
LEAST_RETURN: Final = 0.1  # of the logarithm: less is no other level
RETURNED: Final = (0.5, 1.3)  # parts of the way back


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
        if again and abs(value) < _harder(d, measure, scale, i, value > 0, again):
            continue
        up = value > 0
        if up and scale < N_FAST and s.win_x[1, scale, i] < LEAST_EVENTS:
            continue
        if up and scale == FIRST_HOURS and s.win_x[1, PARTIAL, i] < LEAST_EVENTS:
            continue
        if up and not sparse.is_news(d, i, scale, float(needed[scale] + s.more[i])):
            continue
        if up and measure == COST and scale <= FIRST_HOURS and _by_one(d, i, scale):
            continue
        if up and scale <= FIRST_HOURS and windows.came_today(s, i, measure, scale, float(sums[measure, scale])):
            continue
        opened = _open(d, i, measure, scale, 1 if up else -1, float(nats(np.array(abs(value)))))
        if opened is not None:
            return opened
    if s.gap[i] > s.limit_gap[i]:
        tau2 = float(s.tau2[1, 3, i] + s.unsure[1, i])
        return _open(d, i, EVENTS, SILENCE, -1, float(np.log1p(tau2 * s.gap[i]) / tau2))
    return None


def newcomer(d: Frame, i: int) -> Finding:
    s = d.state
    begun = newcomers.begun(d, i)
    s.side[i], s.kind[i], s.begun[i], s.told[i], s.scale[i] = 1, NEW_SERIES, begun, d.at + 1, N_FAST - 1
    s.sum_x[i], s.sum_e[i] = figures.since(d, i, begun)[0], s.peer[i] / MINUTES * (d.at + 1 - begun)
    s.calm[i], s.ease[i], s.score[i] = 0, 0, newcomers.score(s, i, d.config)
    s.severity[i], s.told_score[i] = figures.severity_of(d, i, figures.usual_day_of(s, i)), s.score[i]
    return figures.finding(d, i)


def _by_one(d: Frame, i: int, scale: int) -> bool:
    """The window is beyond its limit for one dear request only."""
    s = d.state
    row = PARTIAL if scale == FIRST_HOURS else scale
    minutes = d.at % MINUTES + 1 if scale == FIRST_HOURS else FAST[scale]
    slots = [(d.at - back) % MINUTES for back in range(minutes)]
    dearest = windows.dearest(s.ring_dear[slots, i].max()) * float(s.phi[COST, i])
    left = float(s.win_x[COST, row, i]) - dearest
    usual, v = float(s.win_e[COST, row, i]), float(d.variance[COST, row, i])
    if left <= 0 or usual <= 0:
        return True
    deviate = (np.log(left / usual) + v / 2) / np.sqrt(v)
    return bool(deviate < 0.85 * s.limit_up[COST, scale, i])


def _harder(d: Frame, measure: int, scale: int, i: int, up: bool, more: float) -> float:
    limit = (d.state.limit_up if up else -d.state.limit_down)[measure, scale, i]
    at = limit / UNITS[scale, 0] / np.sqrt(d.state.spread[0 if up else 1, measure, scale, i])
    return float(sigmas(nats(np.array(at)) + more))


def _open(d: Frame, i: int, measure: int, scale: int, side: int, score: float) -> Finding | None:
    s, config = d.state, d.config
    before: Sequence[float] = ()
    if scale == RAMP:
        begun, actual, usual, before = _ramp(d, i, measure, side)
    else:
        begun = min(max(onset(d, i, scale, side), int(s.closed[i])), d.at)
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
    s.side[i], s.begun[i], s.told[i], s.scale[i] = side, begun, d.at + 1, scale
    s.kind[i] = figures.kind_of(d, i, scale, side, minutes)
    if before:
        relearning.unlearn(d, i, before)
    s.sum_x[i], s.sum_e[i], s.calm[i], s.score[i] = actual, usual, 0, score
    s.ease[i] = 0
    s.severity[i] = figures.severity_of(d, i, day)
    s.told_score[i] = score
    windows.learn_told(s, d.z, i, side)
    return figures.finding(d, i)


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
    s.moved_at[i], s.closed[i] = -REMEMBERED, d.at
    relearning.excise(d, i, begun, [-float(moved) for moved in s.moved[:, i]])
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

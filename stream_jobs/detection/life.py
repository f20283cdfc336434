"""The life of findings: at most one is open in a series; scales that see the same thing extend it; it closes when the
scale that told it is as usual again, or when it has lasted so long that it is the usual.

When it closes, its stretch is taken out of all windows (as usual a minute as any), so that neither its trailing edge
nor the longer windows tell it again.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import calibration, newcomers, ramp, sparse
from stream_jobs.detection import minutes as windows
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.baseline import UNKNOWN
from stream_jobs.detection.calibration import UNITS
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Closing, Finding, FindingKind
from stream_jobs.detection.onset import onset, over_by_hours, over_by_minutes
from stream_jobs.detection.scales import (
    COST,
    EVENTS,
    FAST,
    FIRST_DAYS,
    FIRST_HOURS,
    MEASURES,
    N_FAST,
    NAMES,
    RAMP,
    REQUEST,
    SILENCE,
)
from stream_jobs.detection.severity import LEVELS, severity
from stream_jobs.detection.state import (
    HOUR_WINDOWS,
    MINUTES,
    NEW_SERIES,
    PARTIAL,
    QUANTUM,
    RAMP_DAYS,
    RAMP_STEPS,
    State,
)
from stream_jobs.detection.thresholds import nats, needed_nats, sigmas

DAY: Final = 1440
WARNING: Final = LEVELS.index("warning")  # the most that a series' first day may be, judged by itself
KINDS: Final[tuple[FindingKind, ...]] = ("spike", "shift", "ramp", "drop", "silence", "dear_request", "new_series")
SPIKE, SHIFT, RAMP_KIND, DROP, SILENCE_KIND, DEAR, _ = range(7)
CALM_BELOW: Final = (1.0, 2.5)
UP_PART: Final = 0.4
DOWN_PART: Final = 0.32
CALM_MINUTES: Final = 20
EASE_NATS: Final = 5.0
GOES_ON: Final = 1.0  # of them: with less, the last hours are as the finding was
LEAST_SHIFT: Final = 0.3  # standard deviations of an hour
STRONG: Final = 3.2  # a shift that every hour shows
LEAST_EVENTS: Final = 5.0
AGAIN_NATS: Final = 4.0  # more surprise is needed right after a close, fading over a day
REMEMBERED: Final = 28 * DAY
"""So long after a level was adopted, the one before it is still known."""
LEAST_RETURN: Final = 0.1  # of the logarithm: less is no other level
RETURNED: Final = (0.5, 1.3)  # parts of the way back
MOST_DAYS: Final = 28  # that a ramp may go on before its level is the normal


def usual_day(s: State) -> Array:
    """[series] what a usual day costs."""
    past = s.past_e[0, 0].astype(float)
    for row in range(1, s.past_e.shape[1]):
        past = past + s.past_e[0, row]
    return np.asarray(np.where(s.age >= 24, past, np.exp(np.maximum(s.level[0], -99)) * 24))


def usual_day_of(s: State, i: int) -> float:
    """The same of series `i`."""
    return _sum(s.past_e[0, :, i]) if s.age[i] >= 24 else float(np.exp(max(float(s.level[0, i]), -99.0)) * 24)


def band(usual: Array, down: Array, up: Array) -> Array:
    return np.stack([usual, usual * np.exp(-2.58 * down), usual * np.exp(2.58 * up)])


def surprise(d: Frame) -> Array:
    """[series] nats of the most surprising scale, 0 where none is."""
    deviates, _ = _deviates(d, np.arange(d.state.columns), hourly=False)
    worst = np.abs(deviates).max(axis=(0, 1))
    s = d.state
    tau2 = s.tau2[1, 3] + s.unsure[1]
    silent = np.where(s.age > 0, np.log1p(tau2 * s.gap) / tau2, 0)
    most = np.maximum(np.where(worst > 2, nats(worst), 0.0), np.where(silent > 4, silent, 0.0))
    return np.asarray(np.where(s.age >= 3, most, 0.0))


def _deviates(d: Frame, which: npt.NDArray[np.intp], hourly: bool) -> tuple[Array, Array]:
    """Of series: [measures, scales, which] calibrated deviates; and the sums that limits are compared with."""
    s = d.state
    sums = d.judged[:, :, which]
    if hourly:
        rows = calibration.hourly(s)[:, FIRST_DAYS - N_FAST :][:, :, which]
        sums = np.concatenate([sums, rows], axis=1)
    scales = sums.shape[1]
    raw = sums / UNITS[:scales]
    spread = np.where(raw > 0, s.spread[0][:, :scales, which], s.spread[1][:, :scales, which])
    return raw / np.sqrt(spread), sums


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
    found: list[Finding] = [_dear(d, int(i)) for i in dear if s.side[i] == 0]
    open_ = np.flatnonzero(s.side)
    if open_.size:
        found += _go_on(d, open_, x, e, known)
    strange = newcomers.beyond(s, d.config)
    for i in np.flatnonzero((hits | strange) & (s.side == 0)):
        opened = _newcomer(d, int(i)) if strange[i] else _try(d, int(i), hourly=False)
        if opened is not None:
            found.append(opened)
    return found


def end_hour(d: Frame, deviates: Array) -> list[Finding]:
    """When an hour ends: whether findings are over; windows of days, and the ramp. `deviates`: [measures, series] of
    it."""
    s = d.state
    found = [over for i in np.flatnonzero(s.side) for over in _ease(d, int(i), deviates[:, i])]
    sums = calibration.hourly(s)[:, FIRST_DAYS - N_FAST :]
    hits = ((sums > d.state.limit_up[:, FIRST_DAYS:]) | (sums < d.state.limit_down[:, FIRST_DAYS:])).any(axis=(0, 1))
    tried = (_try(d, int(i), hourly=True) for i in np.flatnonzero(hits & (s.side == 0)))
    return found + [finding for finding in tried if finding is not None]


def _shift(d: Frame, i: int) -> Array:
    """[measures] the mean deviate, towards the finding's side, of the whole hours within it; 0 when it has none."""
    s = d.state
    hours = min(d.hours_past - -(-int(s.begun[i]) // MINUTES), s.hours_z.shape[1])
    if hours < 1:
        return np.zeros(MEASURES)
    return np.array([_sum(s.hours_z[m, :hours, i]) / QUANTUM / hours * s.side[i] for m in range(MEASURES)])


def _ease(d: Frame, i: int, deviates: Array) -> list[Finding]:
    """A finding that is weak hour by hour is over when its last hours are likelier usual than shifted as it was: a
    CUSUM of the likelihood ratio of normal deviates with mean 0 against mean `shift`."""
    s = d.state
    shift = _shift(d, i)
    measure = int(np.argmax(shift))
    mean = max(float(shift[measure]), LEAST_SHIFT)
    sided = float(np.clip((deviates[measure] - s.mean_z[measure, i]) * s.side[i], -4, 4))
    s.ease[i] = max(0.0, float(s.ease[i]) + mean * (mean / 2 - sided))
    if _is_weak(d, i) and s.ease[i] >= EASE_NATS:
        return [close(d, i, "over")]
    return []


def _is_weak(d: Frame, i: int) -> bool:
    """Windows of minutes do not tell whether it is over."""
    s = d.state
    if newcomers.is_open(s, i):
        return False
    if FIRST_HOURS < s.scale[i] < SILENCE:
        return True
    return d.at + 1 - int(s.begun[i]) >= 3 * MINUTES and float(_shift(d, i).max()) < STRONG


def _try(d: Frame, i: int, hourly: bool) -> Finding | None:
    """Open a finding in series `i`, if one of the scales that are beyond their limits holds enough money and
    requests."""
    s = d.state
    deviates, sums = _deviates(d, np.array([i]), hourly)
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


def _newcomer(d: Frame, i: int) -> Finding:
    s = d.state
    begun = newcomers.begun(d, i)
    s.side[i], s.kind[i], s.begun[i], s.told[i], s.scale[i] = 1, NEW_SERIES, begun, d.at + 1, N_FAST - 1
    s.sum_x[i], s.sum_e[i] = _since(d, i, begun)[0], s.peer[i] / MINUTES * (d.at + 1 - begun)
    s.calm[i], s.ease[i], s.score[i] = 0, 0, newcomers.score(s, i, d.config)
    s.severity[i], s.told_score[i] = _severity(d, i, usual_day_of(s, i)), s.score[i]
    return finding(d, i)


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
        actual, usual = _since(d, i, begun)
    if _returns(d, i, side, begun, actual, usual):
        return None
    excess = actual - usual
    minutes = d.at + 1 - begun
    day = usual_day_of(s, i)
    per_day = excess * DAY / minutes
    if excess * side < max(config.floor_money, config.floor_share * day):
        return None
    slow = FIRST_DAYS <= scale < SILENCE
    if per_day * side < (config.floor_slow_share if slow else config.floor_rate_share) * day:
        return None
    s.side[i], s.begun[i], s.told[i], s.scale[i] = side, begun, d.at + 1, scale
    s.kind[i] = _kind(d, i, scale, side, minutes)
    if before:
        _unlearn(d, i, before)
    s.sum_x[i], s.sum_e[i], s.calm[i], s.score[i] = actual, usual, 0, score
    s.ease[i] = 0
    s.severity[i] = _severity(d, i, day)
    s.told_score[i] = score
    windows.learn_told(s, d.z, i, side)
    return finding(d, i)


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
        _move(d, i, measure, -float(s.moved[measure, i]))
    s.moved_at[i], s.closed[i] = -REMEMBERED, d.at
    excise(d, i, begun, [-float(moved) for moved in s.moved[:, i]])
    return True


def _ramp(d: Frame, i: int, measure: int, side: int) -> tuple[int, float, float, list[float]]:
    """Of a ramp in series `i` that a measure shows: the minute in which it began, what it cost since then, what was
    usual at the level before it, and by how much the levels before differ from those now (of logarithms)."""
    s = d.state
    part = d.hours_past % 24  # hours of the day so far
    days = ramp.began(s, i, measure, side)
    before = [ramp.level_before(s, i, one, days) for one in range(MEASURES)]
    moved = [level - float(s.level[one, i]) for one, level in enumerate(before)]
    past = [_sum(s.past_x[COST, :24, i]), *s.days_x[:, i].tolist()] if not part else s.days_x[:, i].tolist()
    actual, usual = _sum(s.past_x[COST, :part, i]), _sum(s.past_e[COST, :part, i]) * float(np.exp(moved[COST]))
    for held, level in zip(past[:days], (s.days_level[COST, :days, i] / RAMP_STEPS).tolist(), strict=False):
        actual, usual = actual + held, usual + held * float(np.exp(before[COST] - level))
    return (d.hours_past // 24 - days) * DAY, actual, usual, moved


def _unlearn(d: Frame, i: int, moved: Sequence[float]) -> None:
    """What was learned of a ramp is forgotten: it is judged by the level before it, and is over when that is back."""
    s = d.state
    for measure in range(MEASURES):
        if s.level[measure, i] > UNKNOWN:
            _move(d, i, measure, moved[measure])
    s.trend[:, i] = s.trend_past[:, i]


def _move(d: Frame, i: int, measure: int, moved: float) -> None:
    """The level, and what is usual of the past hours."""
    s = d.state
    d.stale = True
    s.level[measure, i] += moved
    s.line[:, measure, i] *= np.exp(moved)
    for values in (s.ring_e, s.win_e, s.past_e):
        values[measure, ..., i] *= np.exp(moved)


def _kind(d: Frame, i: int, scale: int, side: int, minutes: int) -> int:
    s = d.state
    if scale in (RAMP, RAMP - 1):
        return RAMP_KIND
    if side < 0:
        return SILENCE_KIND if scale == SILENCE or s.gap[i] >= 0.8 * s.win_e[1, 3, i] > 0 else DROP
    if newcomers.is_open(s, i):
        return NEW_SERIES
    return SPIKE if minutes < 6 * MINUTES else SHIFT


def _severity(d: Frame, i: int, day: float) -> int:
    s = d.state
    excess = float(s.sum_x[i] - s.sum_e[i])
    per_day = excess * DAY / max(d.at + 1 - int(s.begun[i]), 1)
    slow = int(s.scale[i]) >= FIRST_DAYS and int(s.scale[i]) < SILENCE
    level = severity(d.config, float(s.score[i]), excess, per_day, day, slow, s.side[i] > 0)
    return level if s.age[i] >= newcomers.FIRST_DAY or newcomers.is_open(s, i) else min(level, WARNING)


def _since(d: Frame, i: int, begun: int) -> tuple[float, float]:
    """What series `i` cost from minute `begun` until now, and what was usual; whole hours and days where it began
    long ago."""
    s, at = d.state, d.at
    minutes = at + 1 - begun
    if minutes <= MINUTES:
        slots = [(at - back) % MINUTES for back in range(minutes)]
        return _sum(s.ring_x[0, slots, i]), _sum(s.ring_e[0, slots, i])
    into = at % MINUTES + 1 if not d.hour_pushed else 0
    actual, usual = (float(s.win_x[0, PARTIAL, i]), float(s.win_e[0, PARTIAL, i])) if into else (0.0, 0.0)
    hours = round((minutes - into) / MINUTES)
    actual += _sum(s.past_x[0, : min(hours, 24), i])
    usual += _sum(s.past_e[0, : min(hours, 24), i])
    if hours > 24:
        days = min(round((hours - 24) / 24), s.days_x.shape[0])
        actual += _sum(s.days_x[:days, i])
        usual += _sum(s.days_e[:days, i])
    return actual, usual


def _sum(values: Any) -> float:
    return float(sum(float(value) for value in values))


def _go_on(
    d: Frame, open_: npt.NDArray[np.intp], x: Array, e: Array, known: npt.NDArray[np.bool_] | None
) -> list[Finding]:
    s = d.state
    s.sum_x[open_] += x[0, open_]
    s.sum_e[open_] += newcomers.usual_minute(s, e[0], open_)
    deviates, _ = _deviates(d, open_, hourly=False)
    sided = deviates * s.side[open_]
    near = np.maximum(sided[0, 2], sided[1, 2])
    nearer = np.maximum(sided[0, 1], sided[1, 1])
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
    for i in open_:
        found += _check(d, int(i), usual_day_of(s, int(i)))
    return found


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


def _check(d: Frame, i: int, day: float) -> list[Finding]:
    s = d.state
    lasted = d.at + 1 - int(s.begun[i])
    slow = FIRST_DAYS <= int(s.scale[i]) < SILENCE
    if s.calm[i] >= CALM_MINUTES and not _is_weak(d, i):
        return [close(d, i, "over")]
    if newcomers.is_open(s, i) and lasted >= DAY:
        return adopt(d, i)
    if lasted >= (d.config.adopt_slow_minutes if slow else d.config.adopt_minutes):
        since = d.at + 1 - int(s.told[i])
        rises = slow and lasted < MOST_DAYS * DAY and ramp.still_rises(s, i)
        if not rises and s.ease[i] < GOES_ON and (not slow or since >= d.config.adopt_minutes):
            return adopt(d, i)
    kind = _kind(d, i, int(s.scale[i]), int(s.side[i]), lasted)
    changed = False
    if kind != s.kind[i] and s.kind[i] in (SPIKE, DROP):
        s.kind[i], changed = kind, True
    level = _severity(d, i, day)
    if level > s.severity[i]:
        s.severity[i], changed = level, True
    if s.score[i] > 1.5 * s.told_score[i] + 5:
        changed = True
    if changed:
        s.told_score[i] = s.score[i]
        return [finding(d, i)]
    return []


def finding(d: Frame, i: int, end: int | None = None, closing: Closing | None = None) -> Finding:
    """As it stands."""
    s = d.state
    begun = int(s.begun[i])
    minutes = max((end or d.at + 1) - begun, 1)
    actual, usual = float(s.sum_x[i]), float(s.sum_e[i])
    hours = max(minutes / MINUTES, 1.0)
    row = 3 if minutes >= MINUTES else max(j for j, window in enumerate(FAST) if window <= minutes)
    v = float(d.counting[0, row, i]) + float(s.tau2[0, row, i]) / hours + float(s.unsure[0, i])
    _, low, high = band(np.array(usual), np.sqrt(v * s.spread[1, 0, row, i]), np.sqrt(v * s.spread[0, 0, row, i]))
    return Finding(
        i,
        begun,
        int(s.told[i]),
        end,
        "up" if s.side[i] > 0 else "down",
        KINDS[s.kind[i]],
        NAMES[s.scale[i]],
        usual,
        actual,
        float(low),
        float(high),
        float(s.score[i]),
        LEVELS[s.severity[i]],
        (actual - usual) * DAY / minutes,
        closing,
    )


def close(d: Frame, i: int, closing: Closing) -> Finding:
    s = d.state
    begun = int(s.begun[i])
    end = _over(d, i)
    _take_off(d, i, end)
    made = finding(d, i, end, closing)
    s.side[i], s.calm[i], s.closed[i] = 0, 0, d.at
    excise(d, i, begun)
    return made


def _over(d: Frame, i: int) -> int:
    """The minute from which on series `i` was as usual again, not before it was told: within the last hour, or the
    first of an hour."""
    s, until = d.state, d.at + 1
    if newcomers.is_open(s, i):
        return until - min(int(s.calm[i]), MINUTES)
    if not _is_weak(d, i):
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
        actual, usual = _since(d, i, end)
        if newcomers.is_open(s, i):
            usual = float(s.peer[i]) / MINUTES * after
        s.sum_x[i], s.sum_e[i] = s.sum_x[i] - actual, s.sum_e[i] - usual


def adopt(d: Frame, i: int) -> list[Finding]:
    """The level of the last day (or since it began) is the normal."""
    s = d.state
    if newcomers.is_open(s, i):  # it was learned meanwhile
        s.peer[i] = 0
        return [close(d, i, "new_normal")]
    begun = int(s.begun[i])
    hours = min(max((d.at + 1 - begun) // MINUTES, 1), 24)
    shifted = [0.0] * MEASURES
    for measure in range(MEASURES):
        actual, usual = _sum(s.past_x[measure, :hours, i]), _sum(s.past_e[measure, :hours, i])
        if usual > 0 and s.level[measure, i] > -90:
            moved = float(np.clip(np.log(max(actual, 1e-300) / usual), -5, 12))
            _move(d, i, measure, moved)
            shifted[measure] = moved
            s.trend[measure, i] = 0
    s.moved[:, i], s.moved_at[i] = shifted, d.at
    made = finding(d, i, d.at + 1, "new_normal")
    s.side[i], s.calm[i], s.closed[i], s.gap[i] = 0, 0, d.at, 0
    excise(d, i, begun, shifted)
    return [made]


def excise(d: Frame, i: int, begun: int, moved: Sequence[float] = (0.0, 0.0)) -> None:
    """From `begun` until now every minute of series `i` is as usual, in all windows; before it, days' levels are
    `moved` with that of now."""
    s, at = d.state, d.at
    d.stale = True
    back = min(at + 1 - begun, MINUTES)
    slots = [(at - ago) % MINUTES for ago in range(back)]
    s.ring_x[:, slots, i] = s.ring_e[:, slots, i]
    for row, window in enumerate(FAST):
        ago = [(at - k) % MINUTES for k in range(window)]
        for measure in range(MEASURES):
            s.win_x[measure, row, i] = _sum(s.ring_x[measure, ago, i])
            s.win_e[measure, row, i] = _sum(s.ring_e[measure, ago, i])
    s.win_x[:, PARTIAL, i] = s.win_e[:, PARTIAL, i]
    hours = min(at // MINUTES - begun // MINUTES + 1, s.hours_z.shape[1])
    s.hours_z[:, :hours, i] = 0
    for scale, length in enumerate(HOUR_WINDOWS):
        s.sums_z[:, scale, i] = s.hours_z[:, :length, i].sum(axis=1, dtype=np.int16)
    s.past_x[:, : min(hours, 24), i] = s.past_e[:, : min(hours, 24), i]
    ramp.forget(s, i, min(at // DAY - begun // DAY + 1, RAMP_DAYS), moved)
    s.gap[i] = 0
    d.hours_before[:, :, i] = calibration.before_one(s, i, d.hour_pushed)


def _dear(d: Frame, i: int) -> Finding:
    """One request that is dear beyond measure: begun and over in its minute."""
    s = d.state
    cost, usual = float(d.dearest[i]), float(s.money[i] / max(s.requests[i], 1.0))
    day = usual_day_of(s, i)
    bound = max(float(d.dear_bound[i]), usual)
    score = float(12 + 4 * np.log(max(cost / max(bound, 1e-300), 1.0)))
    level = severity(d.config, score, cost, cost, day, False, True)
    return Finding(
        i,
        d.at,
        d.at + 1,
        d.at + 1,
        "up",
        "dear_request",
        NAMES[REQUEST],
        usual,
        cost,
        0.0,
        bound,
        score,
        LEVELS[min(level, 2)],
        cost,
        "over",
    )

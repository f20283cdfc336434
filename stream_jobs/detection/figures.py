"""What is said of a finding: its figures, its band, its kind and how severe it is."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import band, calibration, newcomers
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.calibration import UNITS
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Closing, Finding, FindingKind
from stream_jobs.detection.scales import FIRST_DAYS, LENGTH, N_FAST, NAMES, RAMP, REQUEST, SILENCE
from stream_jobs.detection.severity import LEVELS, severity
from stream_jobs.detection.state import MINUTES, PARTIAL, State
from stream_jobs.detection.thresholds import nats, of_gap

DAY: Final = 1440
KINDS: Final[tuple[FindingKind, ...]] = ("spike", "shift", "ramp", "drop", "silence", "dear_request", "new_series")
WARNING: Final = LEVELS.index("warning")  # the most that a series' first day may be, judged by itself
SPIKE, SHIFT, RAMP_KIND, DROP, SILENCE_KIND, DEAR, _ = range(7)


def usual_day(s: State) -> Array:
    """[series] what a usual day costs."""
    past = s.past_e[0, 0].astype(float)
    for row in range(1, s.past_e.shape[1]):
        past = past + s.past_e[0, row]
    return np.asarray(np.where(s.age >= 24, past, np.exp(np.maximum(s.level[0], -99)) * 24))


def usual_day_of(s: State, i: int) -> float:
    """The same of series `i`."""
    return total(s.past_e[0, :, i]) if s.age[i] >= 24 else float(np.exp(max(float(s.level[0, i]), -99.0)) * 24)


def around(usual: Array, down: Array, up: Array) -> Array:
    return np.stack([usual, usual * np.exp(-2.58 * down), usual * np.exp(2.58 * up)])


def surprise(d: Frame) -> Array:
    """[series] nats of the most surprising scale, 0 where none is."""
    of_all, _ = deviates(d, np.arange(d.state.columns), hourly=False)
    worst = np.abs(of_all).max(axis=(0, 1))
    s = d.state
    tau2 = s.tau2[1, 3] + s.unsure[1]
    silent = np.where(s.age > 0, of_gap(s.gap, tau2), 0)
    most = np.maximum(np.where(worst > 2, nats(worst), 0.0), np.where(silent > 4, silent, 0.0))
    return np.asarray(np.where(s.age >= 3, most, 0.0))


def deviates(d: Frame, which: npt.NDArray[np.intp], hourly: bool) -> tuple[Array, Array]:
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


def finding(d: Frame, i: int, end: int | None = None, closing: Closing | None = None) -> Finding:
    """As it stands."""
    s = d.state
    begun = int(s.begun[i])
    minutes = max((end or d.at + 1) - begun, 1)
    actual, usual = float(s.sum_x[i]), float(s.sum_e[i])
    low, high = band.of_finding(d, i, usual, actual)
    return Finding(
        i,
        begun,
        int(s.told[i]),
        end,
        "up" if s.side[i] > 0 else "down",
        KINDS[s.kind[i]],
        NAMES[_shows_in(s, i)],
        usual,
        actual,
        low,
        high,
        float(s.score[i]),
        LEVELS[s.severity[i]],
        (actual - usual) * DAY / minutes,
        closing,
    )


def _shows_in(s: State, i: int) -> int:
    """The scale of a finding: the shortest window, up to the one that told it, that held it when it was told."""
    scale, held = int(s.scale[i]), int(s.told[i]) - int(s.begun[i])
    if scale >= FIRST_DAYS:
        return scale
    return next(one for one in range(scale + 1) if LENGTH[one] >= held or one == scale)


def kind_of(d: Frame, i: int, scale: int, side: int, minutes: int) -> int:
    s = d.state
    if scale in (RAMP, RAMP - 1):
        return RAMP_KIND
    if side < 0:
        silent = (scale == SILENCE and s.last[i] < s.told[i]) or s.gap[i] >= 0.8 * s.win_e[1, 3, i] > 0
        return SILENCE_KIND if silent else DROP
    return SPIKE if minutes < 6 * MINUTES else SHIFT


def severity_of(d: Frame, i: int, day: float) -> int:
    s = d.state
    excess = float(s.sum_x[i] - s.sum_e[i])
    per_day = excess * DAY / max(d.at + 1 - int(s.begun[i]), 1)
    slow = int(s.scale[i]) >= FIRST_DAYS and int(s.scale[i]) < SILENCE
    level = severity(d.config, float(s.score[i]), excess, per_day, day, slow, s.side[i] > 0)
    return level if s.age[i] >= newcomers.FIRST_DAY or newcomers.is_open(s, i) else min(level, WARNING)


def since(d: Frame, i: int, begun: int) -> tuple[float, float]:
    """What series `i` cost from minute `begun` until now, and what was usual; whole hours and days where it began
    long ago."""
    s, at = d.state, d.at
    minutes = at + 1 - begun
    if minutes <= MINUTES:
        slots = [(at - back) % MINUTES for back in range(minutes)]
        return total(s.ring_x[0, slots, i]), total(s.ring_e[0, slots, i])
    into = at % MINUTES + 1 if not d.hour_pushed else 0
    actual, usual = (float(s.win_x[0, PARTIAL, i]), float(s.win_e[0, PARTIAL, i])) if into else (0.0, 0.0)
    hours = round((minutes - into) / MINUTES)
    actual += total(s.past_x[0, : min(hours, 24), i])
    usual += total(s.past_e[0, : min(hours, 24), i])
    if hours > 24:
        days = min(round((hours - 24) / 24), s.days_x.shape[0])
        actual += total(s.days_x[:days, i])
        usual += total(s.days_e[:days, i])
    return actual, usual


def total(values: Any) -> float:
    return float(sum(float(value) for value in values))


def dear_request(d: Frame, i: int) -> Finding:
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
        LEVELS[level],
        cost,
        "over",
    )

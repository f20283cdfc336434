"""Where a series lies now: a slow mean that single days hardly move and that days on one side move at once."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import median

Floats = npt.NDArray[np.float64]
RATE: Final = 0.15  # that a day counts for
FAR: Final = 2.5  # scales: what lies beyond counts as this far
OFF: Final = 1.0  # scales beyond which a day is on one side
RESET_DAYS: Final = 4  # on one side: it lies elsewhere
CLEAR: Final = 5.0  # scales that it has moved by at least, to be no question of noise
LEAST_SCALE: Final = 0.02


class Level(NamedTuple):
    now: Floats  # (series)
    scale: Floats  # (series) of a day's noise
    before: Floats  # (series, days): where it lay before each day
    moved: Floats  # (series, days): by how much it lies elsewhere now than when it was there, of moves that were clear
    held: Floats  # (series): by how much the last days, on one side and far, would have moved it were they believed


def noise(values: Floats) -> Floats:
    """(series): of a day, by the steps from day to day, which a moved level does not change."""
    steps = np.abs(np.diff(values, axis=1))
    found = 1.48 / np.sqrt(2) * median(steps, axis=1) if steps.shape[1] else np.full(len(values), np.nan)
    return np.maximum(np.where(np.isfinite(found), found, 0.2), LEAST_SCALE)


def follow(values: Floats, scale: Floats | None = None) -> Level:
    """Of (series, days) without their weekdays; NaN is skipped."""
    scale = noise(values) if scale is None else scale
    level = _start(values)
    far, off = FAR * scale, OFF * scale
    seen, run, side, total, held = (np.zeros(len(values)) for _ in range(5))  # total: of the values of the run
    began = np.zeros(len(values), np.int64)
    before, moved = np.empty_like(values), np.zeros_like(values)
    known = np.isfinite(values)
    for day in range(values.shape[1]):
        before[:, day] = level
        here, value = known[:, day], values[:, day]
        away = np.where(here, value - level, 0.0)
        new_side = np.sign(away) * (np.abs(away) > off)
        goes_on = (new_side == side) | ~here
        counts = here & (new_side != 0)
        began = np.where(goes_on & (run > 0), began, day)
        run = np.where(goes_on, run, 0.0) + counts
        total = np.where(goes_on, total, 0.0) + np.where(counts, value, 0.0)
        side = np.where(here, new_side, side)
        seen = seen + here
        rate = np.maximum(RATE, 1 / np.maximum(seen, 1))
        clipped = np.clip(away, -far, far)
        held = np.where(goes_on, held, 0.0) + RATE * np.abs(away - clipped)
        level = level + rate * clipped
        elsewhere = run >= RESET_DAYS
        if elsewhere.any():
            level = np.where(elsewhere, total / np.maximum(run, 1), level)
            for series in np.nonzero(elsewhere)[0]:
                start = began[series]
                if abs(level[series] - before[series, start]) > CLEAR * scale[series]:
                    moved[series, :start] += level[series] - before[series, start]
            seen = np.where(elsewhere, run, seen)
            run, side, total, held = (np.where(elsewhere, 0.0, state) for state in (run, side, total, held))
    return Level(level, scale, before, moved, held)


def _start(values: Floats) -> Floats:
    """The median of the first week, or of all where that is not known."""
    week, everything = median(values[:, :7], axis=1), median(values, axis=1)
    return np.nan_to_num(np.where(np.isfinite(week), week, everything))

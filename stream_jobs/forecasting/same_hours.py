"""Series that are used now and then, at hours that tell when: a batch at night, a report on Mondays at 6."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.moved_hours import as_if_always
from stream_jobs.forecasting.profiles import DAY, WEEK

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
TIMES: Final = 4
"""Days, or weeks, that must be known before anything is taken for a habit."""
OFTEN: Final = 0.5
"""An hour belongs to the habit where it was used in at least this share of its days or weeks."""
HABIT: Final = 0.6
"""Of the cells of the habit and those that were used besides, so many must have been used as it says."""
PARTS: Final = (1, 2, 4, 8)
"""Of the time: so much of it, from its beginning on, is looked at for a habit of before."""
MOST_UNKNOWN: Final = 0.5
"""Of the cells of a sum. Where too few sums are whole, what nobody knows of them is taken for the mean of the same
hour: the cells that are known, in a row, would be other hours."""
BETTER: Final = 0.1
"""By so much more must hours of the week tell than hours of the day, of which there are more to learn from."""


def habit_of(values: Floats, first: int) -> int | None:
    """The period whose hours tell when it is used, a day or a week; None where none does.

    `values`: (cells,), NaN where nobody knows; `first`: the first of them, in hours since 1970.
    """
    by_day, by_week = (_slots(values, first, period)[1] for period in (DAY, WEEK))
    period, habit = (WEEK, by_week) if by_week > by_day + BETTER else (DAY, by_day)
    return period if habit >= HABIT else None


def at_todays_hours(values: Floats, first: int) -> Floats:
    """The same, with what has moved to other hours there ever since: by its habit in all of the time, or at first."""
    for period in (DAY, WEEK):
        for part in PARTS:
            slots, habit = _slots(values[: len(values) // part], first, period)
            if habit >= HABIT:
                moved = as_if_always(values, first, slots)
                if moved is not None:
                    return moved
    return values


def at_the_same_hours(values: Floats, period: int, steps: int, points: int) -> tuple[Floats, Floats]:
    """(points, steps): what the same hours of earlier periods were, and what as many cells from the same hour on added
    up to; rising along the first axis, evenly spaced in probability, as wide as so few of them must be. NaN: sums of so
    many cells that too few have been seen of."""
    probabilities = (np.arange(points) + 0.5) / points
    known = np.maximum(values, 0.0)
    before = -len(values) + np.arange(len(values))  # 0 is the first step
    usual = _usual(known, before, period)
    single = np.zeros((points, steps))
    for slot in range(min(period, steps)):
        there = known[(before - slot) % period == 0]
        there = there[np.isfinite(there)]
        if len(there):
            single[:, slot::period] = np.quantile(there, probabilities, method="weibull")[:, None]
    sums = np.full((points, steps), np.nan)
    gaps = np.concatenate([[0], np.cumsum(~np.isfinite(known))])
    added = np.concatenate([[0.0], np.cumsum(usual)])
    begins = np.flatnonzero(before % period == 0)
    for step in range(steps):
        starts = begins[begins + step + 1 <= len(values)]
        unknown = gaps[starts + step + 1] - gaps[starts]
        whole = starts[unknown == 0]
        starts = whole if len(whole) >= TIMES else starts[unknown <= MOST_UNKNOWN * (step + 1)]
        if len(starts) < TIMES:
            break
        seen = added[starts + step + 1] - added[starts]
        sums[:, step] = np.quantile(seen, probabilities, method="weibull")
    return single, sums


def _usual(known: Floats, before: npt.NDArray[np.int_], period: int) -> Floats:
    """With the mean of the same hour where nobody knows; of all hours where nobody ever knew that one."""
    slots, seen = before % period, np.isfinite(known)
    if not seen.any():
        return np.zeros_like(known)
    of = np.bincount(slots[seen], minlength=period)
    added = np.bincount(slots[seen], known[seen], minlength=period)
    mean = np.where(of > 0, added / np.maximum(of, 1), known[seen].mean())
    return np.where(seen, known, mean[slots])


def _slots(values: Floats, first: int, period: int) -> tuple[Flags, float]:
    """(period,): the hours that are used by habit; and how well they tell when it is used: 0 to 1."""
    known = np.isfinite(values)
    if known.sum() < TIMES * period:
        return np.zeros(period, np.bool_), 0.0
    slots = (first + np.arange(len(values))) % period
    of = np.bincount(slots[known], minlength=period)
    used = np.bincount(slots[known & (np.nan_to_num(values) > 0)], minlength=period)
    habit = (used >= OFTEN * of) & (used > 1)
    told = of[habit].sum() + used[~habit].sum()
    return habit, float(used[habit].sum() / told) if told else 0.0

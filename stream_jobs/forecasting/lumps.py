"""Lump sums that come on the same day of every month, a subscription on the 1st: no part of the rate of days.

What is alike in months is the amount, not a share of the usage; so a day that lies far above the days before it, and
did so in the last months by about the same amount, is expected to do so again, and the rate never sees it.
"""

from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.months import first_of_month
from stream_jobs.forecasting.robust import median

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
MONTHS: Final = 4  # that are looked at
LEAST_TIMES: Final = 2  # that it came, the last time among them
SHARE: Final = 0.75  # of the usual day that a lump at least is
NOISES: Final = 4.0  # of days that it at least is
ALIKE: Final = 2.0  # the largest of them over the least
BEFORE: Final = 14  # days that say what is usual


class Lumps(NamedTuple):
    amounts: Floats  # (series, 31): by the day of the month; 0 where none comes
    found: Flags  # (series, days): the days of the past on whose dates one comes


def usual(values: Floats) -> tuple[Floats, Floats]:
    """(series, days) each: the median of the two weeks before a day, and of what days lay from it. Each uses only
    what lies before the day."""
    padded = np.concatenate([np.full((len(values), BEFORE), np.nan), values[:, :-1]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, BEFORE, axis=1)
    middle = median(windows, axis=2)
    apart = 1.48 * median(np.abs(windows - middle[..., None]), axis=2)
    return middle, apart


def find(values: Floats, middle: Floats, apart: Floats, first: int) -> Lumps:
    """`middle` and `apart` as from `usual`; cells from the date's ordinal `first` on."""
    series, days = values.shape
    starts = _starts(first, first + days)
    if len(starts) < LEAST_TIMES:
        return Lumps(np.zeros((series, 31)), np.zeros((series, days), np.bool_))
    cells = np.array(starts)[:, None] + np.arange(31) - first
    ends = np.array([*starts[1:], first_of_month(starts[-1] + 31)])
    inside = (cells >= 0) & (cells < np.minimum(ends[:, None] - first, days))
    at = np.clip(cells, 0, days - 1)
    above = np.where(inside, values[:, at] - middle[:, at], np.nan)  # (series, months, 31)
    far = above > np.maximum(SHARE * middle[:, at], NOISES * apart[:, at])
    recurs = _recurs(above, far, inside)
    came = far & recurs[:, None, :]
    amounts = np.nan_to_num(median(np.where(came, above, np.nan), axis=1))
    return Lumps(amounts, recurs[:, _days_of_month(first, days)])


def to_come(amounts: Floats, origin: int, horizon: int) -> Floats:
    """(series, horizon): what comes on each day. A lump of the 31st comes on months that have one."""
    return np.asarray(amounts[:, _days_of_month(origin, horizon)])


def _days_of_month(first: int, days: int) -> npt.NDArray[np.int64]:
    """0 to 30."""
    return np.fromiter(map(day_of_month, range(first, first + days)), np.int64, days) - 1


@lru_cache(maxsize=16384)
def day_of_month(ordinal: int) -> int:
    return date.fromordinal(ordinal).day


def _recurs(above: Floats, far: Flags, inside: Flags) -> Flags:
    """(series, 31): it came the last time, at least twice, more often than not, and by about the same amount."""
    times = far.sum(axis=1)
    known = (inside[None] & np.isfinite(above)).sum(axis=1)
    least = np.where(far, above, np.inf).min(axis=1)
    most = np.where(far, above, 0.0).max(axis=1)
    month = np.arange(above.shape[1])[:, None]
    last_known = np.where(inside[None] & np.isfinite(above), month, -1).max(axis=1)
    last_far = np.where(far, month, -1).max(axis=1)
    return np.asarray((times >= LEAST_TIMES) & (2 * times > known) & (last_far == last_known) & (most <= ALIKE * least))


def _starts(first: int, behind: int) -> list[int]:
    """First days of the last months that hold known days. Rising."""
    starts = [first_of_month(behind - 1)]
    while starts[-1] > first and len(starts) < MONTHS + 1:
        starts.append(first_of_month(starts[-1] - 1))
    return starts[::-1]

"""Requests of another kind: what each of them costs is so far from the usual that their number says nothing of money.

More but cheaper requests, or fewer but dearer ones, cost what was usual: that is nobody's loss, though requests go on
at a number that was never seen, until the level has learned it. So for a rise requests count only while they are not
much cheaper, for a fall only while they are not much dearer than what chance makes of as many.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import COST, EVENTS, FIRST_DAYS, FIRST_HOURS, HOURS, N_FAST
from stream_jobs.detection.state import PARTIAL

APART: Final = 0.4  # of the logarithm: by a third, or half as much again ...
CHANCE: Final = 2.0  # ... and so many standard deviations of the mean cost of so many requests
TINY: Final = 1e-12
DAY_HOURS: Final = 24


def differ(x: Array, e: Array, phi: Array, side: Array) -> npt.NDArray[np.bool_]:
    """Whether the number of requests misleads about a rise (`side` 1) or a fall (-1). `x`, `e`: [measures, ...] what
    came and what was usual; `phi`: the money of one request."""
    came, due = np.maximum(x[EVENTS], TINY), np.maximum(e[EVENTS], TINY)
    cost, usual = np.maximum(x[COST], TINY), np.maximum(e[COST], TINY)
    apart = np.log(came / due) - np.log(cost / usual)
    noise = np.sqrt(np.log1p(phi * due / (usual * came)))
    return np.asarray((came >= 1) & (side * apart > np.maximum(APART, CHANCE * noise)))


def differ_in_windows(d: Frame, rows: slice, which: npt.NDArray[np.intp], side: Array) -> npt.NDArray[np.bool_]:
    """[rows, which] the same of windows of minutes."""
    s = d.state
    return differ(s.win_x[:, rows, which], s.win_e[:, rows, which], s.phi[COST, which], side)


def differ_in_scale(d: Frame, i: int, scale: int, side: int) -> bool:
    """The same of the window of a scale; of scales of days, of the last day."""
    s = d.state
    if scale <= FIRST_HOURS:
        row = PARTIAL if scale == FIRST_HOURS else scale
        x, e = s.win_x[:, row, i], s.win_e[:, row, i]
    else:
        x, e = d.last_hours(i, HOURS[scale - N_FAST] if scale < FIRST_DAYS else DAY_HOURS)
    return bool(differ(x, e, s.phi[COST, i], np.array(side)))

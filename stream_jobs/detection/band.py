"""The band of a finding: what its stretch costs when nothing is wrong, by the limit of the scale that told it.

A scale tells what lies beyond its limit, so the limit lies between the usual and what was: at as large a part of the
way as the limit is of the deviate that told it (the greatest so far). Deviates upwards are of logarithms, and so is the
way; downwards, where nothing at all may be left, it is one of money. So what is told as beyond the limit lies outside
the band, whatever the scale, and whether it was told by money or by requests.
"""

from typing import Final

import numpy as np

from stream_jobs.detection import newcomers
from stream_jobs.detection.calibration import UNITS
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import EVENTS, N_FAST, SILENCE
from stream_jobs.detection.state import row_of
from stream_jobs.detection.thresholds import of_gap, sigmas

MOST: Final = 0.98  # of the way: limits are laid anew every hour
MOST_OTHER: Final = 2.0  # the same on the other side, where a series may have no limit yet


def of_finding(d: Frame, i: int, usual: float, actual: float) -> tuple[float, float]:
    """USD, low and high, of the stretch of the open finding of series `i` in which `usual` was to be expected."""
    if newcomers.is_open(d.state, i):
        return 0.0, max(newcomers.bound(d.state, i, d.config), usual)
    up, down = _part(d, i, 1), _part(d, i, -1)
    if d.state.side[i] > 0:
        way = max(float(np.log(max(actual, 1e-300) / max(usual, 1e-300))), 0.0)
        return usual * float(np.exp(-down * way)), usual * float(np.exp(up * way))
    way = max(usual - actual, 0.0)
    return max(usual - down * way, 0.0), usual + up * way


def _part(d: Frame, i: int, side: int) -> float:
    """The limit on a side over the deviate that told the finding."""
    s = d.state
    score, scale = float(s.score[i]), int(s.scale[i])
    most = MOST if side == s.side[i] else MOST_OTHER
    if scale == SILENCE:
        if side > 0:
            return 1.0
        tau2 = float(s.tau2[EVENTS, N_FAST - 1, i] + s.unsure[EVENTS, i])
        return min(float(of_gap(float(s.limit_gap[i]), tau2)) / max(score, 1e-9), most)
    least = (s.limits(side, i)[:, scale] / np.sqrt(s.spread[row_of(side), :, scale, i])).min() / UNITS[scale, 0]
    return min(float(least / sigmas(np.array(score))), most)

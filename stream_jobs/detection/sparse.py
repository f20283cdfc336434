"""Few requests: windows of hours and days are judged by how many came, too, or by what each of them cost. The deviates
of hours in which next to nothing is due are far from normal, and so are their sums; a handful of requests is counted
exactly."""

from typing import Final

import numpy as np

from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import EVENTS, FIRST_DAYS, FIRST_HOURS, HOURS, N_FAST, RAMP
from stream_jobs.detection.thresholds import nats

FEW: Final = 20.0  # usual requests of a window
LEAST: Final = 5.0  # of the requests of a window
LEAST_A_DAY: Final = 5.0  # usual requests, for windows of days


def is_news(d: Frame, i: int, scale: int, needed: float) -> bool:
    """Whether so many requests in the window, or so dear ones, are as surprising as needed, in nats. Of a window that
    has many, yes."""
    s = d.state
    if scale >= FIRST_DAYS:
        return bool(scale > RAMP or s.level[EVENTS, i] > np.log(LEAST_A_DAY / 24))
    if scale <= FIRST_HOURS:
        return True
    (cost, came), (_, usual) = d.last_hours(i, HOURS[scale - N_FAST])
    if came < LEAST:
        return False
    if usual >= FEW or _of_count(came, max(usual, 1e-9), float(s.tau2[EVENTS, N_FAST - 1, i])) >= needed:
        return True
    mean = float(s.money[i] / max(s.requests[i], 1e-9))
    wide = float(np.log(max(s.squares[i] * s.requests[i] / max(float(s.money[i]) ** 2, 1e-300), 1.01)))
    dearer = np.log(max(cost / came / max(mean, 1e-300), 1e-9)) * np.sqrt(came / wide)
    return bool(dearer > 0 and nats(dearer) >= needed)


def _of_count(came: float, usual: float, tau2: float) -> float:
    """-ln P(so many or more): Poisson counts whose level is a gamma of this variance are negative binomial."""
    from scipy.special import betainc  # here: see thresholds.nats

    shape = 1 / tau2
    return float(-np.log(max(betainc(came, shape, usual / (usual + shape)), 1e-300)))

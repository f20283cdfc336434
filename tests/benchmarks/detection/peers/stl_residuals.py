"""What STL leaves over (R. B. Cleveland et al., 1990; statsmodels): hourly totals of four weeks, every midnight split
into trend and season of the week; an hour is out of the band that these put out for the day when it differs by more
than three robust standard deviations of what was left over."""

from typing import Final

import numpy as np
from statsmodels.tsa.seasonal import STL

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers.runs import findings, totals

STEP: Final = 60
PERIOD: Final = 168
WINDOW: Final = 4 * PERIOD
SIGMAS: Final = 3.0
JUMPS: Final = {"trend_jump": 26, "low_pass_jump": 17}  # a tenth of their windows, R's default


def find(cost: Floats, first: int, since: int) -> list[Found]:
    values = totals(cost, STEP)
    z = np.zeros_like(values)
    judged = max(WINDOW, (since - first) // STEP // 24 * 24)  # before that nobody asks, and it is slow
    for number, series in enumerate(values):
        for midnight in range(judged, len(series) - 23, 24):
            fit = STL(series[midnight - WINDOW : midnight], period=PERIOD, **JUMPS).fit()
            expected = fit.trend[-1] + fit.seasonal[-PERIOD : 24 - PERIOD]
            spread = 1.4826 * float(np.median(np.abs(fit.resid - np.median(fit.resid))))
            z[number, midnight : midnight + 24] = (series[midnight : midnight + 24] - expected) / max(spread, 1e-9)
    return findings(z > SIGMAS, z < -SIGMAS, STEP, first)

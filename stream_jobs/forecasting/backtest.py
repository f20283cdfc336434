"""What forecasts from earlier origins missed by: of each step, and of sums of steps from the origin on.

An earlier forecast knows only what lies before its own origin, and is compared only with what lies before the present
one. Origins are whole multiples of the same number of hours, so that several present origins share them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.model import Told
from stream_jobs.forecasting.paths import SCALE, Paths
from stream_jobs.forecasting.profiles import DAY, WEEK

Floats = npt.NDArray[np.float64]
EVERY: Final = ((72, 3), (168, 6))
"""Hours between origins, by the horizon; LEAST_OFTEN where it lies farther ahead."""
LEAST_OFTEN: Final = 12
FIRST: Final = 30
"""Hours of history before the first origin: a day, and a quarter of one."""


@dataclass(frozen=True, slots=True)
class Misses:
    """Arrays of (origins, series, steps) on the root's scale: what came less what was said. NaN: not known yet, or
    never."""

    targets: npt.NDArray[np.int64]  # (origins, steps): which column each is about
    of_steps: Floats
    of_sums: Floats


def misses(paths: Paths, values: Floats, origin: int, told: Told = lambda _done, _of: None) -> Misses:
    """Of origins in the week before `origin`; where steps are farther ahead than a day, as much earlier."""
    horizon = paths.horizon
    earliest = max(FIRST, origin - WEEK - max(0, horizon - DAY))
    every = next((hours for farthest, hours in EVERY if horizon <= farthest), LEAST_OFTEN)
    origins = range(-(-earliest // every) * every, origin, every)
    of_steps = np.full((len(origins), len(values), horizon), np.nan)
    of_sums = of_steps.copy()
    for place, one in enumerate(origins):
        over = min(horizon, origin - one)
        said = paths.at(one)[:, :over]
        came = values[:, one : one + over]
        of_steps[place, :, :over] = SCALE.to(came) - said
        sums, expected = np.cumsum(np.maximum(came, 0.0), axis=1), np.cumsum(SCALE.back(said), axis=1)
        of_sums[place, :, :over] = SCALE.to(sums) - SCALE.to(expected)
        told(place + 1, len(origins))
    targets = np.array(list(origins), np.int64)[:, None] + np.arange(horizon)
    return Misses(targets, of_steps, of_sums)

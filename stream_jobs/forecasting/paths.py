"""The middle of what the next hours may be: the mean of the middle ones of cheap forecasts, from any origin."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.atoms import atoms
from stream_jobs.forecasting.peers import YOUNG, age_of, borrowed, course_of_peers
from stream_jobs.forecasting.profiles import DAY
from stream_jobs.forecasting.robust import median, middle
from stream_jobs.forecasting.scales import Root

Floats = npt.NDArray[np.float64]
SCALE: Final = Root(3.0)
WINDOW: Final = 6 * 7 * DAY
"""Hours that are looked at: what was before them is another time."""
CUT: Final = 2
"""Of the forecasts for an hour, so many of the lowest and of the highest do not count."""
FARTHEST: Final = 5.0
"""No hour is expected to be more than so many times the greatest of its window."""


class Paths:
    """Of one panel of hours. An origin's path is made once, from nothing but what lies before it."""

    def __init__(self, values: Floats, horizon: int) -> None:
        """`values`: (series, hours) of amounts; NaN where nothing is known, credits count as 0."""
        self.horizon = horizon
        self.roots: Floats = SCALE.to(values)
        self._made: dict[int, Floats] = {}

    def at(self, origin: int) -> Floats:
        """(series, horizon) on the root's scale for the hours from column `origin` on; NaN where nothing is known of a
        series."""
        if origin not in self._made:
            self._made[origin] = self._make(origin)
        return self._made[origin]

    def _make(self, origin: int) -> Floats:
        window = self.roots[:, max(origin - WINDOW, 0) : origin]
        if window.shape[1] < DAY:
            window = np.pad(window, ((0, 0), (DAY - window.shape[1], 0)), constant_values=np.nan)
        made = atoms(window, self.horizon)
        young = age_of(window) < YOUNG
        course = course_of_peers(window) if young.any() else None
        if course is not None:
            lent = borrowed(window, course, self.horizon)
            made = np.concatenate([made, np.where(young[:, None], lent, np.nan)])
        found = middle(made.transpose(1, 2, 0), CUT)
        found = np.where(np.isfinite(found), found, median(window)[:, None])  # an hour of which no day knows anything
        most = np.fmax.reduce(window, axis=1) * SCALE.to(FARTHEST)
        return np.asarray(np.clip(found, 0.0, most[:, None]), np.float64)

"""What a series younger than three days borrows from the others of its tenant: the course of their day."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.profiles import DAY, days_of, levels_of
from stream_jobs.forecasting.robust import median, weighted_mean

Floats = npt.NDArray[np.float64]
ENOUGH: Final = 5
"""So many others have a course in common."""
BORROWED: Final = ("peers, level of the last day", "peers, level of six hours", "peers, level of hours and days")
YOUNG: Final = 3 * DAY
"""Hours of its own after which a series needs nobody."""


def course_of_peers(window: Floats) -> Floats | None:
    """Of all series the median share of their day's level, by hour from the origin on, (24,); None: too few peers."""
    days = days_of(window)[:, -7:]
    levels = levels_of(days)
    shares = days / np.where(levels > 0, levels, np.nan)[:, :, None]
    if (np.isfinite(shares).any(axis=(1, 2))).sum() < ENOUGH:
        return None
    course = median(shares.reshape(-1, DAY).T)
    return course if np.isfinite(course).all() else None


def borrowed(window: Floats, course: Floats, horizon: int) -> Floats:
    """Three forecasts by the peers' course, at the series' own level: of its last day, halfway to that of its last six
    hours, and from that of its last hours back to that of its last day. (3, n, horizon), on the window's scale."""
    ahead = np.arange(horizon)
    left = window[:, -DAY:] / np.maximum(course, 0.05)  # an hour in which nobody works tells little of a level
    of_day, of_six = median(left), median(left[:, -6:])
    of_six = np.where(np.isfinite(of_six), of_six, of_day)
    of_hours = weighted_mean(left, np.power(0.7, np.arange(DAY - 1, -1, -1), dtype=np.float64))
    back = of_day[:, None] + (of_hours - of_day)[:, None] * 0.98 ** (ahead + 1)
    levels = [of_day[:, None], (of_day + of_six)[:, None] / 2, back]
    return np.stack([level * course[ahead % DAY] for level in levels])


def age_of(window: Floats) -> npt.NDArray[np.int64]:
    """Hours since the first that is known: (n,)."""
    known = np.isfinite(window)
    return np.where(known.any(axis=1), window.shape[1] - known.argmax(axis=1), 0)

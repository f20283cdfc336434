"""Panels of days that tests are made of."""

from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.model import Panel

Floats = npt.NDArray[np.float64]
FIRST: Final = date(2027, 1, 4).toordinal()  # a Monday; February 2028 has 29 days


def panel(*series: npt.ArrayLike, first: int = FIRST) -> Panel:
    values = np.array(series, np.float64)
    return Panel([f"s{number}" for number in range(len(values))], "day", first, values)


def noisy(days: int, *, seed: int = 0, usual: float = 100.0, noise: float = 0.1, weekend: float = 1.0) -> Floats:
    """Around `usual`, from a Monday on."""
    rng = np.random.default_rng(seed)
    off = np.arange(days) % 7 >= 5
    return np.asarray(usual * np.where(off, weekend, 1.0) * np.exp(rng.normal(0, noise, days)))


def ordinal(text: str) -> int:
    return date.fromisoformat(text).toordinal()

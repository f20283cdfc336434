"""Series of hours to forecast: made up, with a seed."""

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.model import Panel

Floats = npt.NDArray[np.float64]


def traffic(seed: int, series: int = 6, days: int = 21, *, noise: float = 0.15, weekend: float = 0.4) -> Floats:
    """Counts with a daily course, quiet weekends and noise that lasts for hours."""
    random = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    rows = []
    for _ in range(series):
        course = 1 + 0.6 * np.sin(2 * np.pi * (hours - random.integers(24)) / 24)
        week = np.where(hours // 24 % 7 >= 5, weekend, 1.0)
        lasting = np.zeros(len(hours))
        for hour in range(1, len(hours)):
            lasting[hour] = 0.9 * lasting[hour - 1] + random.normal(0, noise * 0.44)
        rows.append(random.poisson(np.exp(random.normal(5, 1)) * course * week * np.exp(lasting)))
    return np.array(rows, np.float64)


def panel_of(values: Floats, first: int = 480_000) -> Panel:
    return Panel([f"s{number}" for number in range(len(values))], "hour", first, values)

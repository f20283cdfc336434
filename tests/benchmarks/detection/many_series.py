"""Thousands of series of very different sizes, a day at a time, so that weeks of them need little memory.

Requests a minute are lognormal over series: half of them see less than one in fifty minutes, a few see ten a minute.
Season, noise of the level (hourly, 0.35), Poisson requests and their lognormal costs are those of the pinned generator.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from tests.benchmarks.detection.generator import DAY, HOUR, Floats, season

MEDIAN_RATE: Final = 0.02
SPREAD: Final = 1.8
NOISE: Final = 0.35
SIGMA: Final = 1.2
COST: Final = 0.01


class ManySeries:
    def __init__(self, series: int, seed: int) -> None:
        self._rng = np.random.default_rng([seed, series])
        self.rates: Floats = MEDIAN_RATE * np.exp(SPREAD * self._rng.standard_normal(series))

    def day(self, first: int) -> tuple[Floats, Floats, Floats]:
        """Events, cost and squares, [minutes, series], of the day that begins at a minute since 1970. The next call
        draws anew."""
        rng, series = self._rng, len(self.rates)
        level = self.rates * np.exp(NOISE * rng.standard_normal((DAY // HOUR, series)) - NOISE**2 / 2)
        of_minute = season(first + np.arange(DAY, dtype=np.int64))
        events = rng.poisson(np.repeat(level, HOUR, axis=0) * of_minute[:, None])
        cost, squares = _costs(events, rng)
        return events.astype(np.float64), cost, squares

    def hours(self, first: int, count: int) -> tuple[Floats, Floats, Floats]:
        """Of so many hours from the beginning of a day on: [series, hours]."""
        days = []
        for begin in range(0, count, DAY // HOUR):
            day = self.day(first + begin * HOUR)
            days.append([part.reshape(-1, HOUR, len(self.rates)).sum(axis=1) for part in day])
        events, cost, squares = (np.concatenate([one[part] for one in days]).T[:, :count] for part in range(3))
        return events, cost, squares


def _costs(events: npt.NDArray[np.int64], rng: np.random.Generator) -> tuple[Floats, Floats]:
    counts = events.ravel()
    single = COST * np.exp(SIGMA * rng.standard_normal(int(counts.sum())) - SIGMA**2 / 2)
    which = np.repeat(np.arange(counts.size), counts)
    cost, squares = (np.bincount(which, amounts, minlength=counts.size) for amounts in (single, single * single))
    return cost.reshape(events.shape).astype(np.float64), squares.reshape(events.shape).astype(np.float64)

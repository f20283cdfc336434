"""What is said of the days from one on: steps and sums, with their bands."""

from collections.abc import Sequence
from typing import Final, overload

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting import asleep
from stream_jobs.forecasting.day_bands import POINTS, Bands
from stream_jobs.forecasting.day_model import DayFit, Past
from stream_jobs.forecasting.model import QUANTILES
from stream_jobs.forecasting.scales import Logarithm
from stream_jobs.forecasting.uncertain import Uncertain

Floats = npt.NDArray[np.float64]
MOST: Final = 5.0  # times the largest day so far: nothing that is not declared exceeds it
RECENT: Final = 28  # days of use that tell what a usual one is of a series that has stopped
FARTHEST: Final = 50.0  # of a logarithm
MOST_LEANED: Final = 0.5
"""Of what days are usually off by: so far at most slow members move a day. The bands are those of what is expected
without them; were such a move mere noise, they would hold 76 % of the days in place of 80."""
QUANTILE_PLACES: Final = [round(probability * POINTS - 0.5) for probability in QUANTILES]  # in a shape


class DayAhead:
    """Series by their places in the panel."""

    def __init__(
        self,
        past: Past,
        fitted: DayFit,
        path: Floats,
        factors: Floats,
        amounts: Floats,
        sum_bands: Bands,
        step_bands: Bands,
        back: float,
        leans: Floats | None = None,
    ) -> None:
        """`path`, and what is declared: (series, horizon). `back`: the chance a day that what has stopped goes on.
        `leans`: how far single days lie from the path with slow members, on the logarithm, and no sums; None: nowhere.
        """
        self.past, self.fitted = past, fitted
        self._largest = np.nan_to_num(past.values).max(axis=1)
        self.rate = np.minimum(path, MOST * self._largest[:, None]) * factors
        self._amounts, self._back, self._leans = amounts, back, leans
        self._totals, self._declared = np.cumsum(self.rate, axis=1), np.cumsum(amounts, axis=1)
        self._sum_bands, self._step_bands = sum_bands, step_bands

    @property
    def horizon(self) -> int:
        return int(self.rate.shape[1])

    def sum_of(self, series: int, days: int) -> Uncertain:
        """Of the first so many days, 1 or more."""
        declared = float(self._declared[series, days - 1])
        if self.fitted.asleep[series]:
            return asleep.sum_after(days, self._usual_day(series), self._back).plus(declared)
        floor = float(self.fitted.floor[series]) * days
        total = float(self._totals[series, days - 1])
        middle = float(np.log(total + floor))
        shape = self._sum_bands.shape(days)
        room = float(np.log(max(MOST * float(self._largest[series]) * days, total) + floor)) - middle
        spread = _bounded(self._sum_bands.spread(series, days), shape, room)
        return Uncertain(middle, spread, shape, Logarithm(floor), declared)

    def sums(self, series: int, days: int | None = None) -> "Sums":
        """Of the first days up to each, of all or the first so many."""
        return Sums(self, series, self.horizon if days is None else days)

    def steps(self, series: int) -> Floats:
        """(horizon, 3): P10, P50 and P90 of each day."""
        days = range(1, self.horizon + 1)
        if self.fitted.asleep[series]:
            usual = self._usual_day(series)
            found = np.array([asleep.step_after(day, usual, self._back) for day in days]).reshape(-1, len(QUANTILES))
        else:
            floor, rate = float(self.fitted.floor[series]), self.rate[series][:, None]
            spread = np.array([self._step_bands.spread(series, day) for day in days])[:, None]
            shapes = np.array([self._step_bands.shape(day)[QUANTILE_PLACES] for day in days]).reshape(-1, 3)
            most = np.maximum(MOST * float(self._largest[series]), rate)
            away = spread * shapes
            if self._leans is not None:
                away = away + np.clip(self._leans[series][:, None], -MOST_LEANED * spread, MOST_LEANED * spread)
            found = np.clip((rate + floor) * np.exp(np.minimum(away, FARTHEST)) - floor, 0.0, most)
        return np.asarray(np.sort(found, axis=1) + self._amounts[series][:, None])

    def _usual_day(self, series: int) -> float:
        """Of a series that has stopped: the median of its last days of use."""
        used = self.past.values[series][self.past.values[series] > 0]
        return float(np.median(used[-RECENT:])) if len(used) else 0.0


class Sums(Sequence[Uncertain]):
    """Worked out when they are asked for: of most only the last one is."""

    def __init__(self, ahead: DayAhead, series: int, days: int) -> None:
        self._ahead, self._series, self._days = ahead, series, days

    def __len__(self) -> int:
        return self._days

    @overload
    def __getitem__(self, index: int) -> Uncertain: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Uncertain]: ...
    def __getitem__(self, index: int | slice) -> Uncertain | Sequence[Uncertain]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._days))]
        place = index + self._days if index < 0 else index
        if not 0 <= place < self._days:
            raise IndexError(index)
        return self._ahead.sum_of(self._series, place + 1)


def _bounded(spread: float, shape: Floats, room: float) -> float:
    """So that even the highest stays below the most that is expected of days."""
    highest = float(shape[-1])
    return max(min(spread, room / highest), 0.0) if highest > 0 else spread

"""Days to come as seen from any day of a panel: expected amounts, and how far off they may be.

The past is looked back on once, for all days that are asked about; what is said of a day uses only what lies before it.
"""

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting import asleep, day_bands, day_model, day_slow, days_off
from stream_jobs.forecasting.day_ahead import DayAhead
from stream_jobs.forecasting.day_history import KNOTS, knots_of, look_back
from stream_jobs.forecasting.day_slow import SlowPaths
from stream_jobs.forecasting.declared import Declared, nothing
from stream_jobs.forecasting.model import Panel, Told

Floats = npt.NDArray[np.float64]
MOST_DAYS: Final = KNOTS[-1]
LOOKS: Final = 120  # days of the past that are looked back on, for few days that are asked about
MANY: Final = 60  # days that are asked about: then all days between are looked back on
CELLS: Final = 4_000_000  # errors that are kept at most
WEEK: Final = 7


class DayOutlook:
    def __init__(
        self,
        panel: Panel,
        horizon: int,
        *,
        asked: Collection[int] = (),
        declared: Declared | None = None,
        holidays: frozenset[int] = frozenset(),
        told: Told = lambda _done, _of: None,
    ) -> None:
        """`horizon`: days ahead that are asked about, 0 to 400; `asked`: the origins from which."""
        if panel.step != "day" or not 0 <= horizon <= MOST_DAYS:
            raise ValueError(f"days are forecast for 0 to {MOST_DAYS} days, not {horizon} {panel.step}s")
        self.horizon = horizon
        self.past = day_model.past_of(
            panel.values if declared is None else declared.taken_out(panel.values, panel.first), panel.first
        )
        self._declared = nothing(len(panel.names), panel.first) if declared is None else declared
        self._holidays = holidays
        self._off = days_off.find(day_model.logarithms(self.past), panel.first)
        self._kept: dict[int, tuple[day_model.DayFit, Floats]] = {}
        wanted = frozenset(asked)

        def keep(origin: int, fitted: day_model.DayFit, path: Floats) -> None:
            if origin in wanted:
                self._kept[origin] = fitted, path

        origins = _origins(self.past, horizon, wanted)
        self._stored = look_back(self.past, origins, horizon, holidays, told, keep, self._off)
        self._sums = day_bands.sizes(self._stored, self._stored.sum_errors, sums=True)
        self._steps = day_bands.sizes(self._stored, self._stored.step_errors, sums=False)

    def seen(self, origin: int) -> tuple[day_model.Past, day_model.DayFit]:
        """What lies before a day, and what it says."""
        past = self.past.before(origin)
        return past, (self._kept.get(origin) or self._look(past, self.horizon))[0]

    def ahead(self, origin: int, horizon: int, slow: Mapping[int, SlowPaths] | None = None) -> DayAhead:
        """What is said of the days from `origin` on, of which at least one day of the panel lies before. `slow`: by
        series, what slow members say."""
        past = self.past.before(origin)
        fitted, path = self._kept.get(origin) or self._look(past, horizon)
        path = path[:, :horizon]
        factors, amounts = self._declared.of(origin, horizon)
        bands = tuple(
            day_bands.Bands(self._stored, found, origin, fitted.known, fitted.level.held, sums=sums)
            for found, sums in ((self._sums, True), (self._steps, False))
        )
        back = asleep.chance_to_come_back(past.asleep, past.values)
        leans = self._leans(fitted, path, slow) if slow else None
        return DayAhead(past, fitted, path, factors, amounts, bands[0], bands[1], back, leans)

    def _leans(self, fitted: day_model.DayFit, path: Floats, slow: Mapping[int, SlowPaths]) -> Floats:
        """(series, horizon): by how much slow members move what is expected, on the logarithm."""
        horizon, floor = path.shape[1], fitted.floor[:, None]
        more = day_slow.ahead(slow, fitted, horizon)
        return np.asarray(np.log((day_model.expected(fitted, horizon, self._holidays, more) + floor) / (path + floor)))

    def _look(self, past: day_model.Past, horizon: int) -> tuple[day_model.DayFit, Floats]:
        fitted = day_model.fit(past, self._holidays | self._off.before(past.first + past.values.shape[1]))
        return fitted, day_model.expected(fitted, horizon, self._holidays)


def _origins(past: day_model.Past, horizon: int, wanted: frozenset[int]) -> npt.NDArray[np.int64]:
    """Days to look back on. Of many days that are asked about all; of few those whose errors count, evenly apart."""
    days = past.values.shape[1]
    end, first = past.first + days, past.first + 1
    room = CELLS // (len(past.values) * len(knots_of(horizon)))
    if len(wanted) <= MANY:
        first = max(first, min(wanted, default=end) - day_bands.POOL_DAYS - horizon)
        room = min(room, LOOKS)
    stride = -(-(end - first + 1) // max(room, 1))
    stride += stride % WEEK == 0  # never the same weekday again
    return np.arange(first, end + 1, stride)

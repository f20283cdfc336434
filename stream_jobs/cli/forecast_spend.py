"""Rows of spend as days of a zone: what is known of each by an instant, and what is not."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.forecasting.model import Panel
from stream_jobs.series.calendar import first_instant

if TYPE_CHECKING:
    from stream_jobs.timed_csv.reading import Rows

Floats = npt.NDArray[np.float64]
DAY_MICROS: Final = 86_400_000_000
MOST_DAYS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Spend:
    """Rows as they are in the file, in the order of time. A row's `value` is what its stretch cost, which begins with
    its instant and is as long as the least distance between two instants, a day at most."""

    names: list[str]
    series: npt.NDArray[np.int64]
    micros: npt.NDArray[np.int64]
    values: Floats
    dates: bool  # all rows are at 0:00 UTC: dates, whatever the zone
    step: int  # microseconds

    @property
    def end(self) -> int:
        """The first microsecond behind all rows."""
        return int(self.micros[-1]) + self.step

    @property
    def twice(self) -> int:
        """Rows of a series and an instant that have one before them."""
        return len(self.micros) - len(np.unique(np.stack([self.series, self.micros]), axis=1).T)


def spend_of(rows: "Rows", wanted: Collection[str] | None = None, before: datetime | None = None) -> Spend:
    """How rows lie, days or finer, is told by those of the series that are wanted (None: all), and that lie before the
    first instant that is evaluated, if there are any. Raises ConfigError where the rows lie too far apart."""
    order = np.argsort(rows.micros, kind="stable")
    micros = rows.micros[order]
    series = rows.series[order].astype(np.int64)
    if micros[-1] - micros[0] > MOST_DAYS * DAY_MICROS:
        raise ConfigError(f"rows lie more than {MOST_DAYS:,} days apart: leave out what is older")
    telling = np.isin(series, [place for place, name in enumerate(rows.names) if wanted is None or name in wanted])
    if before is not None:
        telling &= micros < unix_micros(before)
    seen = np.unique(micros[telling]) if telling.any() else np.unique(micros)
    gaps = np.diff(seen)
    step = min(int(gaps.min()), DAY_MICROS) if len(gaps) else DAY_MICROS
    dates = bool((seen % DAY_MICROS == 0).all())
    return Spend(rows.names, series, micros, rows.numbers["value"][order], dates, DAY_MICROS if dates else step)


class LocalDays:
    """Spend by the dates of a zone, of the series that are asked for."""

    def __init__(self, spend: Spend, names: list[str], zone: ZoneInfo) -> None:
        self.zone, self._spend = zone, spend
        place = {name: index for index, name in enumerate(names)}
        wanted = np.array([place.get(name, -1) for name in spend.names], np.int64)[spend.series]
        self._series, self._micros, self._values = (
            cells[wanted >= 0] for cells in (wanted, spend.micros, spend.values)
        )
        ordinals, first, days = self._dates()
        shape = (len(names), days)
        known = np.isfinite(self._values)
        cells = self._series * days + (ordinals - first)
        total = np.bincount(cells[known], self._values[known], minlength=shape[0] * days)
        count = np.bincount(cells[known], minlength=shape[0] * days)
        values = np.where(count > 0, total, np.nan).reshape(shape)
        self.panel = Panel(names, "day", first, self._whole(values, first))
        self._sums = np.concatenate([np.zeros((shape[0], 1)), np.cumsum(np.nan_to_num(values), axis=1)], axis=1)
        unknown = np.isnan(self.panel.values) & np.isnan(values)
        self._unknown = np.concatenate([np.zeros((shape[0], 1)), np.cumsum(unknown, axis=1)], axis=1)
        found = np.isfinite(values)
        self.first_known = np.where(found.any(axis=1), first + found.argmax(axis=1), first + days)

    def date_of(self, at: datetime) -> int:
        """The ordinal of the local date of an instant."""
        return at.astimezone(self.zone).date().toordinal()

    def spent(self, series: int, start: int, today: int) -> float:
        """On the dates from `start` up to, not with, `today`; credits are negative."""
        low, high = self._place(start), self._place(today)
        return float(self._sums[series, high] - self._sums[series, low]) if high > low else 0.0

    def unknown(self, series: int, start: int, today: int) -> int:
        """How many of these dates are not known, from the first one on that is."""
        start = max(start, int(self.first_known[series]))
        low, high = self._place(start), self._place(today)
        inside = int(self._unknown[series, high] - self._unknown[series, low]) if high > low else 0
        return inside + max(0, today - max(start, self.panel.origin))

    def passed_on(self, series: int, start: int, today: int, amount: float) -> int | None:
        """The first of these dates by whose end more than the amount was spent."""
        low, high = self._place(start), self._place(today)
        above = self._sums[series, low + 1 : high + 1] - self._sums[series, low] > amount
        return self.panel.first + low + int(above.argmax()) if above.any() else None

    def today(self, series: int, today: int, at: datetime) -> tuple[float, float]:
        """What is known of the local day that goes on, and how much of it is over, by the rows that are."""
        if self._spend.step >= DAY_MICROS // 2:
            return 0.0, 0.0
        until = unix_micros(at)
        begins, ends = (self._begin(today), self._begin(today + 1))
        inside = (self._series == series) & (self._micros >= begins) & (self._micros + self._spend.step <= until)
        known = self._values[inside]
        return float(np.nansum(known)), (until - begins) / (ends - begins) if len(known) else 0.0

    def _dates(self) -> tuple[npt.NDArray[np.int64], int, int]:
        """Of each row; the first date of all, and how many dates there are up to the last one's."""
        epoch = date(1970, 1, 1).toordinal()
        if self._spend.dates:
            ordinals = np.asarray(self._micros // DAY_MICROS + epoch, np.int64)
        else:
            low, high = (from_unix_micros(int(at)).date().toordinal() for at in self._spend.micros[[0, -1]])
            bounds = np.array([self._begin(day) for day in range(low - 1, high + 3)])
            ordinals = np.asarray(np.searchsorted(bounds, self._micros, side="right") + low - 2, np.int64)
        first = int(ordinals.min()) if len(ordinals) else epoch
        return ordinals, first, int(ordinals.max()) - first + 1 if len(ordinals) else 1

    def _whole(self, values: Floats, first: int) -> Floats:
        """Without a first day that was not seen from its beginning, and a last one that was not to its end."""
        if self._spend.step >= DAY_MICROS // 2 or not len(self._micros):
            return values
        values, last = values.copy(), first + values.shape[1] - 1
        if self._micros[0] - self._spend.step >= self._begin(first):
            values[:, 0] = np.nan
        if self._micros[-1] + 2 * self._spend.step <= self._begin(last + 1):
            values[:, -1] = np.nan
        return values

    def _begin(self, day: int) -> int:
        return unix_micros(first_instant(self.zone, date.fromordinal(day)))

    def _place(self, day: int) -> int:
        return int(min(max(day - self.panel.first, 0), self.panel.values.shape[1]))


def instant_of(at: datetime | date, zone: ZoneInfo) -> datetime:
    """A date is the first instant of it in the zone."""
    return at if isinstance(at, datetime) else first_instant(zone, at)


def end_of(spend: Spend) -> datetime | date:
    """Behind all that is known: of dates the day after the last one."""
    end = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=spend.end)
    return end.date() if spend.dates else end

"""The rows of a file as panels: cells of an hour or a day that end where a forecast begins."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.base.instants import from_unix_micros
from stream_jobs.forecasting.model import Panel, Step
from stream_jobs.timed_csv.reading import Rows

Integers = npt.NDArray[np.int64]
STEP_MICROS: Final = {"hour": 3_600_000_000, "day": 86_400_000_000}
MOST_CELLS: Final = {"hour": 366 * 24, "day": 20 * 366}
"""That are held of the past: more says nothing of the future."""
WHOLE: Final = 0.8
"""A cell of which less than this share of the rows is there, at the file's usual distance, is not known; one of which
some are missing counts as much more as these would have been."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Instants to forecast from that see the same cells."""

    panel: Panel
    columns: dict[int, int]  # by the instant as given, in microseconds since 1970: the cell that is the first step
    starts: dict[int, int]  # and when that begins


class Cells:
    """Of one file. Rows that are finer than a step are added up to cells, counted back from the origin; others lie on
    the grid of days or hours in UTC, and an origin within one sees what is over."""

    def __init__(self, rows: Rows, step: Step) -> None:
        values = rows.numbers["value"]
        known = np.isfinite(values)
        self.names = rows.names
        self.step: Step = step
        self.length = STEP_MICROS[step]
        self._series = rows.series[known].astype(np.int64)
        self._micros, self._values = rows.micros[known], values[known]
        gaps = _gaps(self._series, self._micros)
        self._gap = int(np.median(gaps)) if len(gaps) else self.length
        self.finer = self._gap < self.length

    def end(self) -> int:
        """When the last row's cell is over; of rows that are finer, when the last row is."""
        if not len(self._micros):
            return 0
        last = int(self._micros.max())
        if not self.finer:
            return (last // self.length + 1) * self.length
        return last + self._gap

    def panels(self, instants: list[int]) -> list[Origins]:
        """One for all origins that see the same cells."""
        by_phase: dict[int, list[int]] = {}
        for instant in sorted(set(instants)):
            by_phase.setdefault(instant % self.length if self.finer else 0, []).append(instant)
        return [self._panel(phase, some) for phase, some in by_phase.items()]

    def _panel(self, phase: int, instants: list[int]) -> Origins:
        starts = {one: -((phase - one) // self.length) * self.length + phase for one in instants}
        last = max(starts.values())
        seen = self._micros < last
        cells = (self._micros[seen] - phase) // self.length
        end = (last - phase) // self.length
        earliest = (min(starts.values()) - phase) // self.length
        first = max(int(cells.min()) if len(cells) else end, earliest - MOST_CELLS[self.step])
        first = min(first, earliest)
        inside = cells >= first
        table = self._added(self._series[seen][inside], cells[inside] - first, self._values[seen][inside], end - first)
        panel = Panel(self.names, self.step, self._numbered(first, phase), table)
        return Origins(panel, {one: (starts[one] - phase) // self.length - first for one in instants}, starts)

    def _numbered(self, cell: int, phase: int) -> int:
        """As panels count: hours since 1970, or the ordinal of the date on which it begins."""
        if self.step == "hour":
            return cell
        return from_unix_micros(cell * self.length + phase).date().toordinal()

    def _added(
        self, series: Integers, cells: Integers, values: npt.NDArray[np.float64], count: int
    ) -> npt.NDArray[np.float64]:
        places = series * count + cells
        size = len(self.names) * count
        rows = np.bincount(places, minlength=size).reshape(len(self.names), count)
        sums = np.bincount(places, values, minlength=size).reshape(len(self.names), count)
        if not self.finer:
            return np.where(rows > 0, sums, np.nan)
        share = rows * self._gap / self.length
        return np.where(share >= WHOLE, sums / np.minimum(np.maximum(share, WHOLE), 1.0), np.nan)


def _gaps(series: Integers, micros: Integers) -> Integers:
    """Between rows of the same series, in microseconds."""
    order = np.lexsort((micros, series))
    gaps = np.diff(micros[order])
    return np.asarray(gaps[(np.diff(series[order]) == 0) & (gaps > 0)], np.int64)

"""The rows of a file as panels: cells of an hour or a day, by what is there before each origin and nothing after it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.base.instants import from_unix_micros
from stream_jobs.forecasting.model import Panel, Step
from stream_jobs.timed_csv.reading import Rows

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
STEP_MICROS: Final = {"hour": 3_600_000_000, "day": 86_400_000_000}
MOST_CELLS: Final = {"hour": 366 * 24, "day": 20 * 366}
"""That are held of the past: more says nothing of the future."""
WHOLE: Final = 0.8
"""A cell of which less than this share of the rows is there, at the series' usual distance, is not known; one of which
some are missing counts as much more as these would have been."""
FINER: Final = 0.9
"""Rows that lie apart by less than this share of a step are parts of it."""
COARSE: Final = 1.9
"""Rows that lie apart by so many steps, most of them (USUAL) by the same, are of longer stretches than a step."""
USUAL: Final = 0.8
_ALIKE: Final = 0.12  # months differ by as much
_EXACT: Final = 100  # a hundredth of a step off the grid is on it
_FEWEST: Final = 3  # distances, to tell how rows lie


@dataclass(frozen=True, slots=True)
class Origins:
    """Instants to forecast from that see the same cells."""

    panel: Panel
    columns: dict[int, int]  # by the instant as given, in microseconds since 1970: the cell that is the first step
    starts: dict[int, int]  # and when that begins
    unread: dict[str, str]  # series of which the panel has nothing, although the file has: why


@dataclass(frozen=True, slots=True)
class _Seen:
    """How the rows before an origin lie. `gaps`: (series,), the usual distance of a series' rows in microseconds, 0
    where there are too few to tell; `coarse`: those whose rows are of longer stretches than a step."""

    gaps: Integers
    coarse: npt.NDArray[np.bool_]
    phase: int  # of the cells' beginnings, in microseconds
    begun: bool  # the cell that the origin lies in has begun before it: it is not over, and the next one is the first

    def key(self, origin: int) -> tuple[bytes, int, int]:
        """Origins with the same one share a panel: no row between two of them changes how the first reads its own."""
        return self.gaps.tobytes() + self.coarse.tobytes(), self.phase, origin if self.begun else -1


class Cells:
    """Of one file. Rows that are finer than a step are added up to cells that end at the origin. Rows that are one step
    apart are cells themselves, wherever they begin (0:00 in Berlin, half past), and the first step is the one whose row
    would come next, at the origin or after it."""

    def __init__(self, rows: Rows, step: Step) -> None:
        values = rows.numbers["value"]
        known = np.isfinite(values)
        self.names = rows.names
        self.step: Step = step
        self.length = STEP_MICROS[step]
        order = np.lexsort((rows.micros[known], rows.series[known]))
        self._series = rows.series[known].astype(np.int64)[order]
        self._micros, self._values = rows.micros[known][order], values[known][order]
        self._first = np.full(len(self.names), np.iinfo(np.int64).max)
        np.minimum.at(self._first, self._series, self._micros)

    @property
    def twice(self) -> int:
        """Rows of a series and an instant that have one before them."""
        return int(((np.diff(self._series) == 0) & (np.diff(self._micros) == 0)).sum())

    def end(self) -> int:
        """Behind all rows: when the stretch of the last one is over."""
        if not len(self._micros):
            return 0
        last = int(self._micros.max())
        gaps = self._seen(last + 1).gaps[self._series[self._micros == last]]
        finer = gaps[self._finer(gaps)]
        return last + (int(finer.max()) if len(finer) else self.length)

    def _finer(self, gaps: Integers) -> npt.NDArray[np.bool_]:
        return np.asarray((gaps > 0) & (gaps < FINER * self.length))

    def panels(self, instants: Iterable[int]) -> list[Origins]:
        """One for all origins that see the same cells."""
        alike: dict[tuple[bytes, int, int], tuple[_Seen, list[int]]] = {}
        for instant in sorted(set(instants)):
            seen = self._seen(instant)
            alike.setdefault(seen.key(instant), (seen, []))[1].append(instant)
        return [self._panel(seen, some) for seen, some in alike.values()]

    def _seen(self, origin: int) -> _Seen:
        before = self._micros < origin
        series, micros = self._series[before], self._micros[before]
        own, gaps = _gaps(series, micros)
        usual, regular = _usual(own, gaps, len(self.names))
        coarse = regular & (usual > COARSE * self.length)
        finer = self._finer(usual)
        of_whole = ~finer[series] & ~coarse[series]
        whole = micros[of_whole]
        grid = _grid(whole, self.length)
        if grid is None or finer.sum() > len(np.unique(series[of_whole])):
            return _Seen(usual, coarse, origin % self.length, begun=False)
        phase, width = grid
        begins = (origin - phase) // self.length * self.length + phase
        return _Seen(
            usual, coarse, phase, begun=origin - begins > width + self.length // _EXACT or bool((whole >= begins).any())
        )

    def _panel(self, seen: _Seen, instants: list[int]) -> Origins:
        last = max(instants)
        before = self._micros < last
        series, micros, values = self._series[before], self._micros[before], self._values[before]
        finer = self._finer(seen.gaps)[series]
        over = micros + np.where(finer, seen.gaps[series], 0) <= last  # a stretch that goes on is not known
        held = over & ~seen.coarse[series]
        cells = (micros - seen.phase) // self.length
        ends = {one: (one - seen.phase) // self.length + seen.begun for one in instants}
        end = max(ends.values())
        earliest = min(ends.values())
        first = max(int(cells[held].min()) if held.any() else end, earliest - MOST_CELLS[self.step])
        first = min(first, earliest)
        held &= (cells >= first) & (cells < end)
        table = self._added(series[held], cells[held] - first, values[held], end - first, seen)
        if seen.begun:
            table[:, -1:] = np.nan  # it is not over
        panel = Panel(self.names, self.step, self._numbered(first, seen.phase), table)
        starts = {one: self._start(seen, one, place) for one, place in ends.items()}
        return Origins(
            panel, {one: place - first for one, place in ends.items()}, starts, self._unread(panel, seen, last)
        )

    def _start(self, seen: _Seen, origin: int, place: int) -> int:
        """Of the first step: the origin itself, unless the row of its cell has come already."""
        return place * self.length + seen.phase if seen.begun else origin

    def _numbered(self, cell: int, phase: int) -> int:
        """As panels count: hours since 1970, or the ordinal of the date that has the most of it."""
        if self.step == "hour":
            return cell
        return from_unix_micros(cell * self.length + phase + self.length // 2).date().toordinal()

    def _added(self, series: Integers, cells: Integers, values: Floats, count: int, seen: _Seen) -> Floats:
        places = series * count + cells
        size = len(self.names) * count
        rows = np.bincount(places, minlength=size).reshape(len(self.names), count)
        sums = np.bincount(places, values, minlength=size).reshape(len(self.names), count)
        finer = self._finer(seen.gaps)
        share = np.where(finer[:, None], rows * seen.gaps[:, None] / self.length, np.minimum(rows, 1))
        return np.where(share >= WHOLE, sums / np.clip(share, WHOLE, 1.0), np.nan)

    def _unread(self, panel: Panel, seen: _Seen, last: int) -> dict[str, str]:
        """Why nothing is known of a series whose rows the file has."""
        found: dict[str, str] = {}
        for place in np.flatnonzero(~np.isfinite(panel.values).any(axis=1)).tolist():
            gap = int(seen.gaps[place])
            if self._first[place] >= last:
                found[self.names[place]] = "its first row is not before the origin"
            elif seen.coarse[place]:
                longer = f"{gap / self.length:.3g} {self.step}s"
                say = (
                    "use --step 1d" if self.step == "hour" and gap < COARSE * STEP_MICROS["day"] else "write one a step"
                )
                found[self.names[place]] = f"its rows lie {longer} apart, and are of as long: {say}"
            elif self._finer(seen.gaps)[place]:
                found[self.names[place]] = (
                    f"less than {WHOLE:.0%} of a {self.step}'s rows are there, at {_written(gap)} from one to the "
                    "next: write 0 where nothing was used"
                )
            else:
                found[self.names[place]] = f"its last row is more than {MOST_CELLS[self.step]:,} {self.step}s old"
        return found


def _written(micros: int) -> str:
    minutes = micros / 60_000_000
    return f"{minutes / 60:.3g} h" if minutes >= 60 else f"{minutes:.3g} min"


def _gaps(series: Integers, micros: Integers) -> tuple[Integers, Integers]:
    """Between rows of the same series, which come in order: whose, and in microseconds."""
    gaps = np.diff(micros)
    apart = (np.diff(series) == 0) & (gaps > 0)
    return series[1:][apart], gaps[apart]


def _usual(own: Integers, gaps: Integers, count: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """(series,) each: the middle of its distances, 0 where it has none, and whether most are about as long."""
    order = np.lexsort((gaps, own))
    number = np.bincount(own, minlength=count)
    ends = np.cumsum(number)
    usual = np.zeros(count, np.int64)
    some = number > 0
    usual[some] = gaps[order][(ends - number + number // 2)[some]]
    alike = np.abs(gaps - usual[own]) <= _ALIKE * usual[own]
    return usual, (np.bincount(own[alike], minlength=count) >= USUAL * number) & (number >= _FEWEST)


def _grid(micros: Integers, length: int) -> tuple[int, int] | None:
    """Where steps begin, by rows that are one step apart, and within how much: behind the longest part of a step in
    which none begins. A zone's midnights move by an hour twice a year, and clocks are not exact. None where they begin
    anywhere."""
    if not len(micros):
        return None
    found = np.unique(micros % length)
    free = np.diff(found, append=found[0] + length)
    longest = int(free.max())
    return (int(found[(int(free.argmax()) + 1) % len(found)]), length - longest) if 2 * longest > length else None

"""Minutes that enough came late for are judged again: from the last snapshot before them, with all that is known now.

What is found then is what would have been found had everything come in time: a drop that was none is taken back, a rise
that only late entries show is found. A finding that was told keeps its id, and the time at which it was detected. It
goes back BACK_MINUTES at most: entries for earlier minutes change the figures of findings. Plain, no store, no clock.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Self

from stream_jobs.anomalies.model import EVENTS, Series
from stream_jobs.anomalies.rows import Key, Late, Rows, Tracked, measure_of
from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.base.money import PICO_PER_USD

BACK_MINUTES: Final = 6 * 60
PART: Final = 0.05
"""Of what a series spends in an hour, or of a finding's excess: less than that is not worth judging minutes again."""


class Fresh:
    """What came late and no minute was judged again for, and from when on minutes were judged again before."""

    def __init__(self) -> None:
        self._late: dict[Series, dict[int, Late]] = {}
        self._rejudged: list[tuple[int, datetime]] = []

    def add(self, series: Series, minute: int, late: Late) -> None:
        by_minute = self._late.setdefault(series, {})
        by_minute[minute] = by_minute.get(minute, Late()).plus(late)

    def forget(self, minute: int) -> None:
        """What is for minutes before this one."""
        kept = (
            (series, {at: late for at, late in some.items() if at >= minute}) for series, some in self._late.items()
        )
        self._late = {series: some for series, some in kept if some}
        self._rejudged = [one for one in self._rejudged if one[0] >= minute]

    def clear(self) -> None:
        self._late = {}

    @property
    def first(self) -> int | None:
        """The first minute that something came late for."""
        return min((min(some) for some in self._late.values()), default=None)

    def matters(self, rows: Rows, least_usd: float, usual: Mapping[Series, float]) -> bool:
        """Whether judging again may conclude otherwise: of a series so much money came late, and PART of its `usual`
        hour; or PART of the excess of one of its findings."""
        return any(self._matters(series, some, rows, least_usd, usual) for series, some in self._late.items())

    @staticmethod
    def _matters(
        series: Series, some: Mapping[int, Late], rows: Rows, least_usd: float, usual: Mapping[Series, float]
    ) -> bool:
        usd = abs(sum(late.pico_usd for late in some.values())) / PICO_PER_USD
        if usd and usd >= max(least_usd, PART * usual.get(series, 0.0)):
            return True
        for tracked in rows.of(series):
            within = [late for at, late in some.items() if tracked.holds(at)]
            if abs(sum(_figure(tracked, late) for late in within)) > PART * abs(tracked.found.excess):
                return True
        return False

    def usable(self, minute: int, written_at: datetime) -> bool:
        """Whether a snapshot, whose first minute that is not judged is `minute`, knows of all that came late before
        it, and was judged again for."""
        return all(minute <= first or written_at >= at for first, at in self._rejudged)

    def judged_again(self, minute: int, at: datetime) -> None:
        """From this minute on, with all that came late."""
        self.clear()
        self._rejudged.append((minute, at))

    # -- state

    def dump(self) -> dict[str, Any]:
        return {
            "late": [
                [list(series.dims), list(series.vals), at, str(late.pico_usd), str(late.events)]
                for series, some in self._late.items()
                for at, late in some.items()
            ],
            "rejudged": [[minute, unix_micros(at)] for minute, at in self._rejudged],
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is no state."""
        found = cls()
        for dims, vals, at, pico, events in state["late"]:
            found.add(Series(tuple(dims), tuple(vals)), int(at), Late(int(pico), int(events)))
        found._rejudged = [(int(minute), from_unix_micros(int(at))) for minute, at in state["rejudged"]]
        return found


def _figure(tracked: Tracked, late: Late) -> float:
    """In the unit of the finding; of a driver nothing."""
    measure = measure_of(tracked.found)
    if tracked.found.kind == "driver":
        return 0.0
    return float(late.events) if measure == EVENTS else late.pico_usd / PICO_PER_USD


def inherit(rows: Rows, before: Rows, since: int, upto: int) -> None:
    """`rows` found what minutes from `since` to `upto` hold, judged again; `before` what was found of them the first
    time. What is the same finding goes on from its last row; what is not found any more is taken back."""
    left = dict(before.all)
    mine = dict(rows.all)
    for key in [key for key in mine if key in left]:
        _go_on(mine.pop(key), left.pop(key))
    for key, tracked in sorted(mine.items(), key=lambda item: (item[1].found.start, item[0])):
        twin = next((other for other in sorted(left) if _same(key, tracked, other, left[other], upto)), None)
        if twin is not None:
            _go_on(tracked, left.pop(twin))
    for key, tracked in left.items():
        if tracked.row is not None:
            rows.keep(key, _taken_back(tracked) if key[1] > since else tracked)
    rows.keep_late(before, since)


def _go_on(tracked: Tracked, before: Tracked) -> None:
    tracked.finding_id, tracked.row, tracked.row_minute = before.finding_id, before.row, before.row_minute
    tracked.corrections = before.corrections


def _same(key: Key, tracked: Tracked, other: Key, before: Tracked, upto: int) -> bool:
    """Of one series and kind, and of one time."""
    ends = (tracked.found.end or upto, before.found.end or upto)
    return (key[0], key[2]) == (other[0], other[2]) and max(tracked.found.start, before.found.start) < min(ends)


def _taken_back(tracked: Tracked) -> Tracked:
    """Its figures stay, with what came late."""
    found = tracked.found
    if found.closing == "corrected":
        return tracked
    end = found.end if found.end is not None else found.detected_at
    actual = found.actual + _figure(tracked, tracked.late)
    return replace(tracked, found=replace(found, end=end, actual=actual, closing="corrected"), late=Late())

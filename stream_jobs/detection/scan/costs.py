"""Requests and costs replayed minute by minute, all series side by side, as the job does behind its watermark."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream_jobs.base.errors import ConfigError
from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Finding, Floats, Minute
from stream_jobs.timed_csv.instants import MINUTE_MICROS, of_minute
from stream_jobs.timed_csv.reading import Rows, Told

Integers = npt.NDArray[np.int64]
MAX_MINUTES: Final = 5 * 366 * 1440
_TOLD_EVERY: Final = 1_000

Judged = Callable[[int, list[str], Floats], None]
"""Is given a minute, the names of the series that are there by then, and how surprising each was, in nats."""


def replay(rows: Rows, told: Told, judged: Judged | None = None) -> list[tuple[str, Finding]]:
    """Every finding once: as it ended, or as it stands at the end of the file. All minutes are judged: while little is
    known of a series, the detector says little of it. A series is there from the minute of its first row on; from
    then on a minute without a row had no requests. Raises ConfigError for a file that spans more than MAX_MINUTES."""
    minutes = rows.micros // MINUTE_MICROS
    first, last = int(minutes.min()), int(minutes.max())
    if last - first >= MAX_MINUTES:
        raise ConfigError(
            f"the rows span more than five years, from {of_minute(first)} to {of_minute(last)}: a time may be wrong; "
            "scan a part of them"
        )
    at, series, sums = _sums(rows, minutes)
    begins = np.full(len(rows.names), last + 1, np.int64)
    np.minimum.at(begins, series, at)
    order = np.lexsort((np.arange(len(begins)), begins))  # as they come; at once, by name
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    names, arrivals = [rows.names[number] for number in order], begins[order]
    detector = CostDetector()
    found: dict[tuple[int, str, int, bool], Finding] = {}
    edges = np.searchsorted(at, np.arange(first, last + 2))

    def all_minutes() -> Iterator[Minute]:
        """Each with the series that are there by then, which are given to the detector just before."""
        for minute in range(first, last + 1):
            there = int(np.searchsorted(arrivals, minute, side="right"))
            if there > len(detector.names):
                detector.add(names[len(detector.names) : there])
            low, high = edges[minute - first], edges[minute - first + 1]
            filled = {name: np.zeros(there) for name in sums}
            for name, values in sums.items():
                filled[name][place[series[low:high]]] = values[low:high]
            if not (minute - first) % _TOLD_EVERY:
                told(minute - first, last - first + 1)
            squares, capped = filled.get("cost_squares"), filled.get("capped_cost")
            yield Minute(minute, filled["events"], filled["cost"], squares, capped)

    def keep(finding: Finding) -> None:
        found[finding.number, finding.direction, finding.detected_at, finding.kind == "dear_request"] = finding

    for minute in all_minutes():
        for finding in detector.advance(minute):
            keep(finding)
        if judged is not None:
            judged(minute.at, detector.names, detector.scores())
    for number in range(len(names)):
        if (stands := detector.standing(number)) is not None:
            keep(stands)
    told(last - first + 1, last - first + 1)
    return [(names[finding.number], finding) for finding in found.values()]


def _sums(rows: Rows, minutes: Integers) -> tuple[Integers, Integers, dict[str, Floats]]:
    """Rows of the same series and minute added up, in the order of time: minutes, series, and sums by name. The order
    within a minute is that of the amounts, so that the file's order makes no difference to the last bit."""
    keys: list[Any] = [*rows.numbers.values(), rows.series, minutes]
    order = np.lexsort(keys)
    at, series = minutes[order], rows.series[order].astype(np.int64)
    starts = np.flatnonzero(np.append(True, (np.diff(at) != 0) | (np.diff(series) != 0)))
    sums = {name: np.add.reduceat(values[order], starts) for name, values in rows.numbers.items()}
    return at[starts], series[starts], sums

"""What people should know of a file that is read as it stands, and is probably not what they think."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream_jobs.timed_csv.instants import MINUTE_MICROS
from stream_jobs.timed_csv.reading import Rows

HOUR: Final = 60
DAY: Final = 1440
ENOUGH: Final = 6
"""So many rows in the same minute of the hour are no chance."""


def notes(rows: Rows) -> list[str]:
    """One sentence each; empty when there is nothing to say."""
    found = []
    if rows.columns.ignored:
        found.append(f"ignored: {', '.join(rows.columns.ignored)[:500]}")
    if rows.columns.mode == "cost":
        found += [note for note in (_without_events(rows), _sums_of_hours(rows)) if note]
    return found


def _without_events(rows: Rows) -> str:
    """Cost is judged by the requests that it is of."""
    whose = len(rows.names)
    events, cost = (
        np.bincount(rows.series, np.abs(rows.numbers[name]), minlength=whose) for name in ("events", "cost")
    )
    without = int(((events == 0) & (cost > 0)).sum())
    if not without:
        return ""
    return (
        f"{_of_series(without, whose)} costs and no events at all, so they are not judged: write 1 for the events of "
        "a row where nobody knows them, or judge the costs as they are with --mode gauge"
    )


def _sums_of_hours(rows: Rows) -> str:
    """Minutes between them count as minutes without requests."""
    minutes, whose = rows.micros // MINUTE_MICROS, len(rows.names)
    hourly = _in_one_minute(rows.series, minutes, HOUR, whose)
    if hourly.any():
        there = np.unique(np.stack((rows.series, minutes)), axis=1)[0].astype(np.int64)
        hourly &= np.bincount(there, minlength=whose) >= ENOUGH
    if not hourly.any():
        return ""
    daily = hourly & _in_one_minute(rows.series, minutes, DAY, whose)
    length, period = ("day", "daily") if daily.sum() == hourly.sum() else ("hour", "hourly")
    return (
        f"{_of_series(int(hourly.sum()), whose)} {period} rows, all in the same minute of the {length}, and each is "
        f"judged as requests of that minute, with none in between. If they are sums of a whole {length}, judge them as "
        "such with --mode gauge"
    )


def _in_one_minute(series: npt.NDArray[Any], minutes: npt.NDArray[np.int64], of: int, whose: int) -> npt.NDArray[Any]:
    """Of each series whether its rows lie in one minute of so many."""
    least, most = np.full(whose, of), np.zeros(whose, np.int64)
    np.minimum.at(least, series, minutes % of)
    np.maximum.at(most, series, minutes % of)
    return np.asarray(least == most)


def _of_series(some: int, of: int) -> str:
    if of == 1:
        return "there are"
    return f"{some:,} of {of:,} series {'has' if some == 1 else 'have'}"

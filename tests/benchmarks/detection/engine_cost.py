"""Section: what a minute of 10,000 series costs the detector, the ends of an hour and of a day included, and what it
keeps of a series."""

import statistics
import time
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Final

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Minute
from stream_jobs.detection.state import FIELDS
from tests.benchmarks.detection.bars import CPU_MS, STATE_BYTES
from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE, HOUR
from tests.benchmarks.detection.many_series import ManySeries
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.detection.ours import new_detector
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure
from tests.benchmarks.harness.tables import Cells, Table

SERIES: Final = 10_000
WARM_DAYS: Final = 14
BEFORE_MIDNIGHT: Final = 2 * HOUR
AFTER_MIDNIGHT: Final = 2 * HOUR
STORM_FROM: Final = HOUR  # after midnight
STORM: Final = 30.0  # times the usual, in one series of ten
MEMORY_SERIES: Final = 1_000


def sections(options: Options) -> list[Table]:
    series = 200 if options.quick else SERIES
    detector, source, warm_s = _warmed(series, options.seed)
    progress(f"the minutes around a midnight of {series} series")
    spent = _spent(detector, source)
    state = detector.frame.state
    told = {
        "state": sum(getattr(state, name).nbytes for name in FIELDS) / state.columns,
        "a series in memory, working arrays of a minute included": _kept(min(series, MEMORY_SERIES), options.seed),
        "a series in a snapshot": len(detector.dump()) / series,
    }
    return [_table(series, spent, told, warm_s, options)]


def _warmed(series: int, seed: int) -> tuple[CostDetector, ManySeries, float]:
    """A detector that has learned from hours, up to the first that is timed, and the seconds of CPU that it took."""
    detector, source = new_detector(), ManySeries(series, seed)
    detector.add([f"s{number}" for number in range(series)])
    progress(f"{WARM_DAYS} days of {series} series")
    events, cost, squares = source.hours(FIRST_MINUTE, WARM_DAYS * 24 + (DAY - BEFORE_MIDNIGHT) // HOUR)
    began = time.process_time()
    detector.warm(FIRST_MINUTE, events, cost, squares)
    return detector, source, time.process_time() - began


def _minutes(source: ManySeries, begin: int) -> Iterator[Minute]:
    """Around the midnight that ends the day that begins at a minute."""
    days = (source.day(begin), source.day(begin + DAY))
    for minute in range(DAY - BEFORE_MIDNIGHT, DAY + AFTER_MIDNIGHT):
        events, cost, squares = (part[minute % DAY].copy() for part in days[minute // DAY])
        if minute >= DAY + STORM_FROM:
            events[::10] += STORM * source.rates[::10] + 1
            cost[::10] += 1.0
            squares[::10] += 0.01
        yield Minute(begin + minute, events, cost, squares)


def _spent(detector: CostDetector, source: ManySeries) -> dict[int, float]:
    """Milliseconds of CPU by minute after midnight, negative before it."""
    begin, spent = FIRST_MINUTE + WARM_DAYS * DAY, {}
    for minute in _minutes(source, begin):
        began = time.process_time()
        detector.advance(minute)
        spent[minute.at - begin - DAY] = (time.process_time() - began) * 1000
    return spent


def _kept(series: int, seed: int) -> float:
    """Bytes that a series takes in memory, after hours and minutes of work."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        detector, source, _ = _warmed(series, seed)
        calm = islice(_minutes(source, FIRST_MINUTE + WARM_DAYS * DAY), BEFORE_MIDNIGHT + STORM_FROM)
        for minute in calm:
            detector.advance(minute)
        del calm, minute
        del source
        return (tracemalloc.get_traced_memory()[0] - before) / series
    finally:
        tracemalloc.stop()


def _table(series: int, spent: dict[int, float], kept: dict[str, float], warm_s: float, options: Options) -> Table:
    usual = [ms for at, ms in spent.items() if at < STORM_FROM and at % HOUR not in (HOUR - 1, 0, 1)]
    told: dict[str, list[float]] = {
        "a minute (median)": [statistics.median(usual)],
        "the dearest minute around the end of an hour": [max(spent[at] for at in (-61, -60, -59, 59))],
        "the dearest minute around the end of a day": [max(spent[at] for at in (-1, 0, 1))],
        "mean of all minutes of an hour": [statistics.mean(spent[at] for at in range(-60, 0))],
        "one series of ten 30 times its usual: the dearest minute": [
            max(spent[at] for at in range(STORM_FROM, AFTER_MIDNIGHT))
        ],
    }
    bounds: Bounds = NOT_JUDGED if options.quick else CPU_MS
    figures = [
        Figure(f"detector, {name}", "ms", values, bounds[0], bounds[1], lower_is_better=True)
        for name, values in told.items()
    ]  # fmt: skip
    rows: list[Cells] = [
        (f"{one.name.removeprefix('detector, ')}", f"{one.median:.1f} ms", _against(one)) for one in figures
    ]
    state = Figure(
        "detector, state of a series",
        "bytes",
        [kept.pop("state")],
        None if options.quick else STATE_BYTES,
        lower_is_better=True,
    )
    rows.append(("state of a series", f"{state.median:,.0f} bytes", _against(state)))
    rows.extend((name, f"{size:,.0f} bytes", "") for name, size in kept.items())
    rows.append((f"learning {WARM_DAYS} days from hours", f"{warm_s:.1f} s", ""))
    note = f"{series:,} series side by side, CPU time of one core."
    return Table("What detection costs", ("", "measured", "floor, goal"), rows, note, [*figures, state])


def _against(figure: Figure) -> str:
    if figure.floor is None:
        return ""
    goal = "" if figure.goal is None else f", {figure.goal:g}"
    return f"{figure.floor:g}{goal}" + ("" if figure.meets_floor else " **missed**")

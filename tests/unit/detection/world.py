"""Small traffic for detectors: minutes of several series from one seed."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Finding, Floats, Minute

MONDAY = 29_449_440  # 2025-12-29T00:00Z
WEEKS = 3
BEGIN = MONDAY + WEEKS * 10_080
Level = Callable[[int], Floats]


def warmed(rates: Floats, squares: bool = True) -> CostDetector:
    """Three weeks of hours of flat traffic at `rates` requests a minute that cost about a cent, lognormal noise 0.2."""
    return CostDetector.load(_state(tuple(rates.tolist()), squares))


@lru_cache
def _state(given: tuple[float, ...], squares: bool) -> bytes:
    rates, rng = np.array(given), np.random.default_rng(1)
    detector = CostDetector()
    detector.add([f"series {number}" for number in range(len(rates))])
    events = rng.poisson(60 * rates[:, None] * np.exp(0.2 * rng.standard_normal((len(rates), WEEKS * 168)))).astype(
        float
    )
    detector.warm(MONDAY, events, 0.01 * events, 4e-4 * events if squares else None)
    return detector.dump()


def minutes(
    rates: Floats, count: int, seed: int = 2, level: Level | None = None, begin: int = BEGIN, squares: bool = True
) -> Iterator[Minute]:
    """`level` of a minute (0 is the first): what the rates are multiplied by."""
    rng = np.random.default_rng(seed)
    for minute in range(count):
        if minute % 60 == 0:
            hour = np.exp(0.2 * rng.standard_normal(len(rates)))
        events = rng.poisson(rates * hour * (1.0 if level is None else level(minute))).astype(float)
        cost = events * 0.01 * np.exp(0.3 * rng.standard_normal(len(rates)))
        yield Minute(begin + minute, events, cost, cost * cost / np.maximum(events, 1) if squares else None)


def only(number: int, count: int, factor: float, begin: int, end: int) -> Level:
    """Series `number` of `count` is `factor` times as busy from minute `begin` until `end`."""

    def level(minute: int) -> Floats:
        levels = np.ones(count)
        if begin <= minute < end:
            levels[number] = factor
        return levels

    return level


def run(detector: CostDetector, traffic: Iterator[Minute]) -> list[Finding]:
    return [finding for minute in traffic for finding in detector.advance(minute)]


def column(minute: Minute, which: npt.NDArray[np.intp]) -> Minute:
    """The minute of some of the series."""
    squares = None if minute.squares is None else minute.squares[which]
    return Minute(minute.at, minute.events[which], minute.cost[which], squares)

"""Requests that cost another amount from now on."""

from functools import cache

import numpy as np
import pytest

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Finding, Minute
from tests.unit.detection.world import BEGIN, MONDAY, WEEKS

pytestmark = pytest.mark.slow  # a week minute by minute

DAY = 1440
RISES = DAY + 601
BACK = RISES + 4 * DAY + 300
PRICES = (0.2, 2.0, 10.0, 50.0, 1000.0)
FREE = len(PRICES)
"""The number of the series that costs nothing until then."""


@cache
def found() -> tuple[Finding, ...]:
    """Of ten requests a minute with a day's season, whose price of a cent is so many times as high from `RISES` on; the
    last but one of them has its old price again at `BACK`."""
    rng = np.random.default_rng(5)
    count = len(PRICES) + 1
    season = 1 + 0.8 * np.sin(2 * np.pi * np.arange(24) / 24)
    detector = CostDetector()
    detector.add([f"series {number}" for number in range(count)])
    hours = rng.poisson(600 * np.exp(0.2 * rng.standard_normal((count, 168 * WEEKS))) * np.tile(season, 7 * WEEKS))
    usual = np.array([0.01] * len(PRICES) + [0.0])
    detector.warm(MONDAY, hours.astype(float), usual[:, None] * hours, 2 * usual[:, None] ** 2 * hours)
    findings: list[Finding] = []
    for minute in range(BACK + DAY):
        if minute % 60 == 0:
            rate = 10 * season[minute // 60 % 24] * np.exp(0.2 * rng.standard_normal(count))
        times = np.array([*PRICES, 1.0]) if minute >= RISES else np.ones(count)
        times[3] = 1.0 if minute >= BACK else times[3]
        price = 0.01 * times
        price[FREE] *= minute >= RISES
        events = rng.poisson(rate).astype(float)
        cost = price * rng.gamma(np.maximum(events, 1e-9))  # each exponential: squares are twice those of the mean
        findings += detector.advance(Minute(BEGIN + minute, events, cost, price * price * 2 * events))
    return tuple(findings)


@pytest.mark.parametrize("number", range(FREE + 1))
def test_another_price_is_told_once_and_learned(number: int) -> None:
    """A fifth of what it was, a thousandfold, or the first: its noise and season are known at it at once."""
    told = [one for one in found() if one.number == number and one.start < BEGIN + BACK]
    assert {one.start for one in told} == {told[0].start}
    assert abs(told[0].start - BEGIN - RISES) <= 60
    assert told[-1].closing == "new_normal"


def test_that_the_old_price_is_back_is_no_news() -> None:
    """Nor are its requests from then on."""
    assert not [one for one in found() if one.number == 3 and one.start >= BEGIN + BACK]

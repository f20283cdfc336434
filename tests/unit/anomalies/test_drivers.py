"""Drivers of cost: what is found of them, of whom, and that a restart changes nothing of it."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.anomalies.drivers import HOUR, Drivers, Told
from stream_jobs.anomalies.exact import PLACES, WIDTH
from stream_jobs.anomalies.minutes import Held
from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.names import Names
from stream_jobs.anomalies.ratios import SUMS
from stream_jobs.detection.model import Floats
from stream_jobs.series.measures import places_of

TOTAL, USER = Series(), Series(("user_id",), ("u",))
SEARCH, ADS = Series(("team",), ("search",)), Series(("team",), ("ads",))
BEGIN = 29_449_440  # minutes since 1970: midnight
LEARNED = 24 * 9
BROKEN = range(LEARNED, LEARNED + 8)
NAMES = ((), ("team",), ("user_id",))


@cache
def usage() -> Floats:
    """[hour, SUMS] of 30 $ an hour in 1,000 requests or so; then the cache is hit no more for eight hours."""
    rng = np.random.default_rng(4)
    found = np.zeros((LEARNED + 24, len(SUMS)))
    for hour, sums in enumerate(found):
        events = rng.poisson(1000)
        tokens = 1500 * events * np.exp(rng.normal(0, 0.03))
        cached = 0 if hour in BROKEN else tokens * rng.normal(0.7, 0.02)
        by_name = {
            "events": events,
            "effective_cost": 0.00002 * (tokens - 0.9 * cached),
            "input_tokens": tokens,
            "output_tokens": tokens / 10,
            "cache_read_tokens": cached,
            "errors": rng.binomial(events, 0.02),
        }
        sums[:] = [by_name.get(name, 0) for name in SUMS]
    return found


def held(names: Names, parts: dict[Series, Floats]) -> Held:
    """A minute as Minutes gives it."""
    sums = np.zeros((len(parts), WIDTH), np.int64)
    for row, values in enumerate(parts.values()):
        for name, value in zip(SUMS, values.tolist(), strict=True):
            left = round(value * 10 ** places_of(name))
            for column in range(PLACES[name].start, PLACES[name].stop):
                left, sums[row, column] = left >> 32, left & (2**32 - 1)
    return Held(np.array([names.number(series) for series in parts], np.int64), sums)


def play(restarts: frozenset[int] = frozenset(), minutes: int = 2) -> list[Told]:
    """Everything that is told; before some hours it begins anew."""
    names, drivers, told = Names(NAMES, 100), Drivers(), list[Told]()
    drivers.follow({TOTAL: 2.0, SEARCH: 1.0, USER: 5.0})
    for hour, sums in enumerate(usage()):
        for minute in range(minutes):
            if minute == 1 and hour in restarts:
                drivers = Drivers.restore(drivers.dump())
            drivers.add(names, held(names, {USER: sums, SEARCH: sums / minutes, ADS: sums, TOTAL: sums / minutes}))
        told += drivers.hour(BEGIN + (hour + 1) * HOUR)
        drivers.follow({TOTAL: 2.0, SEARCH: 1.0, USER: 5.0})
    return told


@cache
def undisturbed() -> list[Told]:
    return play()


def last(told: list[Told]) -> dict[tuple[str, str], Told]:
    return {(one.found.measure, one.series.name): one for one in told}


def test_a_cache_that_is_hit_no_more_is_found() -> None:
    """Of those that are followed, in percent, within the hour; with the money that it costs; and it is over by
    itself. The price per token rises with it, requests are as long as ever."""
    found = last(undisturbed())
    assert found.keys() == {
        (name, who) for name in ("cache_rate", "price_per_token") for who in ("total", "team=search")
    }
    of_cache = found["cache_rate", "team=search"].found
    assert of_cache.detected_at == BEGIN + (LEARNED + 1) * HOUR
    assert (of_cache.kind, of_cache.direction, of_cache.severity) == ("driver", "down", "warning")
    assert of_cache.end == BEGIN + BROKEN.stop * HOUR
    assert of_cache.actual == pytest.approx(0, abs=0.02)
    assert of_cache.expected == pytest.approx(0.7, abs=0.02)
    assert 0.5 < of_cache.low < of_cache.expected < of_cache.high < 0.9
    assert of_cache.per_day == pytest.approx(24 * 30 * 0.7, rel=0.1)
    price = found["price_per_token", "total"].found
    assert (price.direction, price.severity) == ("up", "warning")
    assert price.per_day == pytest.approx(24 * 30 * 0.63, rel=0.1)


@pytest.mark.slow
@settings(max_examples=3)
@given(st.frozensets(st.integers(0, LEARNED + 23), min_size=1, max_size=4))
def test_a_restart_changes_nothing(restarts: frozenset[int]) -> None:
    """In the middle of an hour."""
    assert play(restarts) == undisturbed()


def test_good_news_is_for_information() -> None:
    """There are no errors any more."""
    drivers = Drivers()
    drivers.follow({TOTAL: 1.0})
    errors = usage()[:LEARNED].copy()
    errors[:, SUMS.index("errors")] *= 5
    told = [one for hour, sums in enumerate(errors) for one in drivers.judge(BEGIN + hour * HOUR, sums[None, :])]
    assert told == []
    gone = errors[0].copy()
    gone[SUMS.index("errors")] = 0
    (one,) = drivers.judge(BEGIN + LEARNED * HOUR, gone[None, :])
    assert (one.found.measure, one.found.direction, one.found.severity) == ("error_rate", "down", "info")
    assert one.found.per_day < 0


def test_the_most_important_are_followed() -> None:
    """Of the levels that drivers have; who is not much more important than the least of them waits."""
    drivers = Drivers(most=2)
    drivers.follow({TOTAL: 9.0, SEARCH: 2.0, ADS: 1.0, USER: 99.0})
    assert drivers.series == [TOTAL, SEARCH]
    drivers.follow({TOTAL: 9.0, SEARCH: 2.0, ADS: 3.9})
    assert drivers.series == [TOTAL, SEARCH]
    drivers.follow({TOTAL: 1.0, SEARCH: 2.0, ADS: 4.1})
    assert drivers.series == [TOTAL, ADS]
    drivers.follow({TOTAL: 1.0, SEARCH: 0.1})  # who is not watched any more has no weight
    assert drivers.series == [TOTAL, SEARCH]


def test_who_has_an_open_finding_keeps_its_place() -> None:
    """And who takes another's place is judged by its own past alone."""
    drivers = Drivers(most=2)
    drivers.follow({TOTAL: 9.0, SEARCH: 2.0})
    for hour in range(LEARNED + 1):
        drivers.judge(BEGIN + hour * HOUR, np.stack([usage()[0], usage()[hour]]))
    drivers.follow({TOTAL: 9.0, SEARCH: 2.0, ADS: 99.0})
    assert drivers.series == [TOTAL, SEARCH]
    for hour in range(LEARNED + 8, LEARNED + 20):
        drivers.judge(BEGIN + hour * HOUR, np.stack([usage()[0], usage()[hour]]))
    drivers.follow({TOTAL: 9.0, SEARCH: 2.0, ADS: 99.0})
    assert drivers.series == [TOTAL, ADS]
    for hour in range(LEARNED + 20, LEARNED + 22):
        assert drivers.judge(BEGIN + hour * HOUR, np.stack([usage()[0], usage()[LEARNED]])) == []


def test_what_is_no_state_is_refused() -> None:
    """Of other drivers, or of none."""
    drivers = Drivers()
    drivers.follow({TOTAL: 1.0, SEARCH: 1.0})
    wrongs: list[dict[str, Any]] = [{"series": [[[], []]]}, {"gauges": b"x"}, {"sums": [[1.0]]}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r"state|reshape|other drivers"):
            Drivers.restore(drivers.dump() | wrong)

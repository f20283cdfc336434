from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from stream_jobs.detection import minutes
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Finding, Minute
from tests.unit.detection.world import BEGIN, run

RATE = 10.0
DAY = 1440
WEEK = 7 * DAY
HOURLY, NIGHTLY, AWAY, BESIDE, MEMBERS = 0, 1, 2, 3, 4
RISES = WEEK + DAY + 600


def levels(at: int) -> Array:
    """Twenty minutes' requests at minute 17 of every hour (twice: the last one rises tenfold); thirty times as busy
    for four minutes about 3 o'clock; nothing for 8 to 17 minutes, twice a day."""
    day, of_day = divmod(at, DAY)
    job = 20.0 if at % 60 == 17 else 1.0
    begins = 180 + day * 7 % 20
    night = 30.0 if begins <= of_day < begins + 4 else 1.0
    away = any(begin <= of_day < begin + 8 + day % 10 for begin in (400 + 11 * day % 90, 1100 - 17 * day % 50))
    return np.array([job, night, 0.0 if away else 1.0, job * (10.0 if at >= RISES else 1.0)])


def traffic(begin: int, end: int) -> Iterator[Minute]:
    rng = np.random.default_rng([3, begin])
    for at in range(begin, end):
        events = rng.poisson(RATE * levels(at)).astype(float)
        yield Minute(BEGIN + at, events, 0.01 * events, 2e-4 * events)


@cache
def told() -> tuple[Finding, ...]:
    """Of two days, after a week of minutes."""
    detector, nothing = CostDetector(), np.zeros((MEMBERS, 0))
    detector.add([str(number) for number in range(MEMBERS)])
    detector.warm(BEGIN, nothing, nothing, nothing, traffic(0, WEEK))
    return tuple(run(detector, traffic(WEEK, RISES + 60)))


@pytest.mark.slow
def test_what_its_minutes_always_do_is_no_news() -> None:
    """A job at a fixed minute of the hour, a batch every night (though its hour holds no more than it always does), and
    gaps as there were every day."""
    assert [one for one in told() if one.number in (HOURLY, NIGHTLY, AWAY)] == []


def test_a_rise_is_found_beside_a_job_every_hour() -> None:
    """Ten times everything, the job included, within the half hour."""
    found = [one for one in told() if one.number == BESIDE]
    assert found[0].direction == "up"
    assert RISES < found[0].detected_at - BEGIN <= RISES + 30


def test_the_dearest_request_fits_in_a_byte() -> None:
    """To 5 %, from a thousandth of the money of a request to fifty thousand times that."""
    values = np.geomspace(1e-3, 5e4, 50)
    back = np.array([minutes.dearest(int(step)) for step in minutes.as_step(values)])
    assert np.abs(back / values - 1).max() < 0.05
    assert minutes.dearest(int(minutes.as_step(np.zeros(1))[0])) == 0


@pytest.mark.slow
def test_hours_away_are_no_noise_of_a_rise() -> None:
    """A client that is away in a quarter of all hours is held against its hours at work when it rises."""
    rng = np.random.default_rng(5)
    hours = np.where(rng.random((1, 21 * 24)) < 0.25, 2.0, 600.0) * np.exp(0.15 * rng.standard_normal((1, 21 * 24)))
    events = rng.poisson(hours).astype(float)
    detector = CostDetector()
    detector.add(["on and off"])
    detector.warm(BEGIN, events, 0.01 * events, 2e-4 * events)
    s = detector.frame.state
    assert minutes.upward(s.tau2[1, 3, 0], s.tau2_up[1, 3, 0]) < 0.4 * s.tau2[1, 3, 0]


def jobs(at: int) -> Array:
    """Requests a minute: sixty at minute 7 of every hour, and every five minutes all of theirs at once, beside few."""
    return np.array([60.0 if at % 60 == 7 else 0.5, 50.0 * (at % 5 == 0)])


@pytest.mark.slow
def test_what_comes_again_and_again_is_told_twice() -> None:
    """From a series' first minute on: a job at a fixed minute of every hour, and rows that come every five minutes, are
    told a few times in their first days, and never again."""
    detector, rng = CostDetector(), np.random.default_rng(9)
    detector.add(["hourly", "rows"])
    found = []
    for at in range(8 * DAY):
        events = rng.poisson(jobs(at)).astype(float)
        found += detector.advance(Minute(BEGIN + at, events, 0.01 * events, 2e-4 * events))
    told = sorted((one.number, (one.detected_at - BEGIN) // DAY) for one in found if one.state == "open")
    assert len(set(told)) <= 6
    assert not [day for _, day in told if day >= 3]


@pytest.mark.slow
def test_ten_times_a_job_that_was_told_is_told() -> None:
    """A habit is only as far as it went."""
    detector, rng = CostDetector(), np.random.default_rng(10)
    detector.add(["hourly", "rows"])
    found = []
    for at in range(3 * DAY):
        events = rng.poisson(jobs(at) * (10.0 if 2 * DAY + 300 <= at < 2 * DAY + 420 else 1.0)).astype(float)
        found += detector.advance(Minute(BEGIN + at, events, 0.01 * events, 2e-4 * events))
    for number in range(2):
        rises = [
            one.detected_at - BEGIN - 2 * DAY - 300 for one in found if one.number == number and one.direction == "up"
        ]
        assert any(0 < late <= 70 for late in rises)

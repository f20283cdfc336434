import numpy as np
import pytest

from stream_jobs.detection import ramp
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.scales import RAMP
from stream_jobs.detection.state import State

USUAL = 7.0  # money of an hour
NOISE = 0.08  # standard deviation of the logarithm of a day
SERIES = 16
ALL = np.ones(SERIES, dtype=bool)


def after(levels: Array, free: Array = ALL) -> State:
    """Days at these multiples of the usual, each with noise, after six weeks at the usual."""
    rng, s = np.random.default_rng(4), State()
    s.reserve(SERIES)
    s.level[:] = np.log(USUAL)
    s.tau2[:] = 0.12
    s.phi[:] = 1e-6
    for day, level in enumerate([*np.ones(42), *levels]):
        s.age[:] = 24 * (day + 1)
        actual = USUAL * level * np.exp(NOISE * rng.standard_normal(SERIES))
        for _ in range(24):
            ramp.push_hour(s, np.stack([actual, actual]), np.full((2, SERIES), USUAL), ALL)
        ramp.push_day(s, free)
    return s


def test_days_as_usual_make_standard_deviates() -> None:
    """Of noise alone: about normal, and no series far out."""
    z = after(np.ones(10)).ramp_z[0]
    assert np.abs(z).max() < 3.5
    assert 0.4 < np.std(z) < 1.6


def test_a_day_so_far_counts_as_a_part_of_one() -> None:
    """Judged hours later, what the day holds so far moves the figure, and the end of the day is its whole."""
    s = after(1.05 ** np.arange(1, 6))
    before = s.ramp_z.copy()
    for hour in range(24):
        ramp.push_hour(s, np.full((2, SERIES), 1.4 * USUAL), np.full((2, SERIES), USUAL), ALL)
        if hour in (3, 23):
            ramp.judge(s, hour + 1)
            assert (s.ramp_z > before).all()
            before = s.ramp_z.copy()
    ramp.push_day(s, ALL)
    assert s.ramp_z == pytest.approx(before, abs=0.5)


def test_a_level_that_wanders_makes_ramps_less_of_a_surprise() -> None:
    """Days that go up and down for days teach how far their means are apart."""
    wandering = after(np.exp(0.4 * np.sin(np.arange(60) / 3.0)))
    assert (wandering.spread[:, :, RAMP] > 2).all()
    assert np.median(after(np.ones(60)).spread[:, :, RAMP]) < 1.3


def test_five_percent_a_day_stand_out_within_eight_days() -> None:
    """The median of the series is beyond four standard deviations, and goes on to rise until the fourteenth."""
    days = np.arange(1, 15)
    assert np.median(after(1.05 ** days[:8]).ramp_z[0]) > 4
    assert np.median(after(1.05**days).ramp_z[0]) > 6


def test_a_trend_that_was_known_is_no_ramp() -> None:
    """Ten percent a week, learned before."""
    s = after(1.1 ** (np.arange(1, 22) / 7))
    told = float(np.median(s.ramp_z[0]))
    s.trend_past[:] = np.log(1.1) / 7
    ramp.judge(s)
    assert told > 2
    assert float(np.abs(np.median(s.ramp_z[0]))) < 1


def test_a_young_series_has_no_ramp() -> None:
    """Its days before are not known, or of a level that was not."""
    s = after(1.05 ** np.arange(1, 15))
    s.age[:] = ramp.KNOWN - 1
    ramp.judge(s)
    assert not s.ramp_z.any()


def test_a_ramp_still_rises_and_a_plateau_does_not() -> None:
    """Whether its level may be the new normal."""
    rising, flat = after(1.05 ** np.arange(1, 13)), after(np.full(16, 1.8))
    for s in (rising, flat):
        s.side[:] = 1
    assert sum(ramp.still_rises(rising, i) for i in range(SERIES)) >= SERIES - 3
    assert sum(ramp.still_rises(flat, i) for i in range(SERIES)) <= SERIES // 2


def test_what_a_finding_held_is_forgotten() -> None:
    """Its days are as the level is now, and those before move with it: nothing stands out any more."""
    s = after(np.full(6, 2.0))
    assert s.ramp_z[0, 3] > 6
    s.level[:, 3] += np.log(2)
    ramp.forget(s, 3, 6, [float(np.log(2))] * 2)
    ramp.judge(s)
    assert abs(s.ramp_z[0, 3]) < 3
    assert s.ramp_z[0, 4] > 6
    assert s.days_level[:, 0, 3] / 1000 == pytest.approx(np.full(2, np.log(2 * USUAL)), abs=2e-3)


def test_where_a_ramp_began_and_the_level_before_it() -> None:
    """A broken line: within two days, and five percent."""
    s = after(1.05 ** np.arange(1, 7))
    began = [ramp.began(s, i, 0, 1) for i in range(SERIES)]
    assert abs(np.median(began) - 6) <= 1
    before = [ramp.level_before(s, i, 0, days) for i, days in enumerate(began)]
    assert np.median(before) == pytest.approx(np.log(USUAL), abs=0.05)

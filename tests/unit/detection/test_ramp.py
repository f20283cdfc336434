import numpy as np
import pytest

from stream_jobs.detection import ramp
from stream_jobs.detection.arrays import Array
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
    for day, level in enumerate([*np.ones(42), *levels]):
        s.age[:] = 24 * (day + 1)
        s.past_e[:] = USUAL
        s.past_x[:] = USUAL * level * np.exp(NOISE * rng.standard_normal(SERIES))
        ramp.push_day(s, free)
    return s


def test_days_as_usual_make_standard_deviates() -> None:
    """Of noise alone: about normal, and no series far out."""
    z = after(np.ones(10)).ramp_z[0]
    assert np.abs(z).max() < 3.5
    assert 0.4 < np.std(z) < 1.6


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
    rising, flat = after(1.05 ** np.arange(1, 13)), after(np.full(12, 1.8))
    for s in (rising, flat):
        s.side[:] = 1
    assert sum(ramp.still_rises(rising, i) for i in range(SERIES)) >= SERIES - 3
    assert sum(ramp.still_rises(flat, i) for i in range(SERIES)) <= SERIES // 2


def test_what_a_finding_held_is_forgotten() -> None:
    """Its days are as the level is now, and those before move with it: nothing stands out any more."""
    s = after(np.full(6, 2.0))
    assert s.ramp_z[0, 3] > 6
    s.level[0, 3] += np.log(2)
    ramp.forget(s, 3, 6, float(np.log(2)))
    assert abs(s.ramp_z[0, 3]) < 3
    assert s.ramp_z[0, 4] > 6
    assert s.days_level[0, 3] / 1000 == pytest.approx(np.log(2 * USUAL), abs=2e-3)

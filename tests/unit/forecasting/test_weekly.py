"""Weekdays."""

from datetime import date

import numpy as np

from stream_jobs.forecasting.weekly import profile, weekday_of
from tests.unit.forecasting.days import FIRST, noisy


def test_weekday_of() -> None:
    """As the calendar has it."""
    days = np.arange(FIRST, FIRST + 800)
    assert weekday_of(days).tolist() == [date.fromordinal(day).weekday() for day in days.tolist()]


def test_finds_weekends_whatever_the_origin() -> None:
    """From Monday on, also where the days end in the middle of a week."""
    for days in (56, 57, 59, 61):
        found = profile(np.log(noisy(days, noise=0.05, weekend=0.3))[None], FIRST + days)[0]
        assert (found[5:] < -0.6).all()
        assert (found[:5] > 0.15).all()


def test_noise_is_no_profile() -> None:
    """What weekdays show by chance is nearly gone."""
    found = [profile(np.log(noisy(56, seed=seed, noise=0.3))[None], FIRST + 56) for seed in range(40)]
    assert np.mean(np.abs(found)) < 0.05


def test_a_single_week_says_something_where_peers_agree() -> None:
    """Alone it might be noise; twenty series that rest on the same days are none."""
    week = np.log([noisy(7, seed=seed, weekend=0.3) for seed in range(20)])
    assert (profile(week, FIRST + 7)[:, 5:] < -0.5).all()
    assert np.abs(profile(week[:1], FIRST + 7)).max() < np.abs(profile(week, FIRST + 7)).max()


def test_nothing_known() -> None:
    assert (profile(np.full((2, 3), np.nan), FIRST + 3) == 0).all()

"""The course of a day and of a week is found where there is one, and not in noise."""

import numpy as np
import pytest

from stream_jobs.forecasting.profiles import decayed_profile, levels_of, median_profile, week_of
from tests.unit.forecasting.hours import traffic


def test_the_course_of_a_day_is_found() -> None:
    hours = np.arange(10 * 24)
    course = np.sin(2 * np.pi * hours / 24)
    window = (20 + course)[None, :]
    assert decayed_profile(window, 4.0)[0] == pytest.approx(course[:24], abs=0.01)
    assert median_profile(window)[0] == pytest.approx(course[:24], abs=0.01)


def test_a_course_in_noise_alone_is_nearly_flat() -> None:
    noise = np.random.default_rng(5).normal(20, 1, (40, 14 * 24))
    raw = noise.reshape(40, 14, 24).mean(axis=1).std(axis=1).mean()
    assert decayed_profile(noise, 8.0).std(axis=1).mean() < raw / 2


def test_a_quiet_weekend_is_part_of_the_week() -> None:
    window = np.cbrt(traffic(3, days=21))
    week = week_of(window)
    weekend, workdays = week[:, 5 * 24 :], week[:, : 5 * 24]
    assert (weekend.mean(axis=1) < workdays.mean(axis=1) - 0.5).all()


def test_one_week_tells_nothing_of_days_of_the_week() -> None:
    assert not week_of(np.cbrt(traffic(3, days=13))).any()


def test_a_day_is_a_level_when_half_of_it_is_known() -> None:
    days = np.full((1, 2, 24), 4.0)
    days[0, 0, :13] = np.nan
    days[0, 1, :12] = np.nan
    first, second = levels_of(days)[0]
    assert np.isnan(first)
    assert second == 4


def test_a_week_with_gaps_is_still_a_week() -> None:
    values = traffic(4, days=28)
    window = np.cbrt(values)
    gaps = np.where(np.random.default_rng(1).random(window.shape) < 0.3, np.nan, window)
    assert week_of(gaps) == pytest.approx(week_of(window), abs=0.6)

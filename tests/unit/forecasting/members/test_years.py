"""Whether the year is a season of a series."""

import numpy as np
import pytest

from stream_jobs.forecasting.members.years import LEAST, are_alike


def wave(days: int) -> np.ndarray:
    return np.asarray(5 + 0.3 * np.sin(np.arange(days) * 2 * np.pi / 365.25) + 0.001 * np.arange(days))


@pytest.mark.parametrize("days", [LEAST, 800, 1095, 2000])
def test_two_years_with_the_same_course_are_alike(days: int) -> None:
    """Whatever they grow, and through noise of days."""
    assert are_alike(wave(days) + 0.1 * np.random.default_rng(1).normal(size=days))


def test_less_than_two_years_show_no_year() -> None:
    """However fine the wave."""
    assert not are_alike(wave(LEAST - 1))


def test_a_series_that_wanders_has_no_year() -> None:
    """A few of such walks look like it."""
    walks = np.cumsum(np.random.default_rng(2).normal(0, 0.02, size=(50, 900)), axis=1)
    assert sum(are_alike(walk) for walk in walks) <= 8


@pytest.mark.parametrize("flat", [np.full(900, 7.0), 0.01 * np.arange(900.0)])
def test_a_straight_line_has_none(flat: np.ndarray) -> None:
    """Nothing is left of it to compare."""
    assert not are_alike(flat)

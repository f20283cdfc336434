"""A single hour far above all others is cut by what was before it; what came before is no spike any more."""

import numpy as np
import pytest

from stream_jobs.forecasting.hourly import Hours
from stream_jobs.forecasting.model import QUANTILES, Forecast, Panel
from stream_jobs.forecasting.spikes import FEWEST, HIGHEST, without_spikes

HOURS = 24 * 45


def usual() -> np.ndarray:
    hours = np.arange(HOURS)
    return np.random.default_rng(5).poisson(100 + 30 * np.sin(2 * np.pi * hours / 24)).astype(np.float64)


def forecast(values: np.ndarray, horizon: int = 72) -> Forecast:
    return Hours(Panel(["a"], "hour", 490_896, values[None]), horizon).forecast(490_896 + len(values))[0]


def test_one_hour_is_cut_and_a_second_is_not() -> None:
    values = np.full((1, 60), 10.0)
    values[0, [30, 40, 50]] = 1000
    cut = without_spikes(values)
    assert cut[0, [30, 40, 50]].tolist() == [HIGHEST * 10, HIGHEST * 10, 1000]
    assert (np.delete(cut[0], [30, 40]) == np.delete(values[0], [30, 40])).all()


def test_each_hour_is_judged_by_what_is_before_it() -> None:
    values = np.abs(np.random.default_rng(1).standard_cauchy((4, 200)))
    values[:, 50:60] = np.nan
    for end in (30, 55, 120):
        np.testing.assert_array_equal(without_spikes(values[:, :end]), without_spikes(values)[:, :end])


def test_too_little_to_compare_with_is_left_alone() -> None:
    values = np.full((1, FEWEST + 1), 0.0)
    values[0, 1::2], values[0, -1] = 1.0, 10**6
    np.testing.assert_array_equal(without_spikes(values), values)


@pytest.mark.parametrize("factor", [50, 1_000, 1e7])
@pytest.mark.parametrize("ago", [1, 30, 60])
def test_one_hour_does_not_move_the_next_days(factor: float, ago: int) -> None:
    """Neither the level nor the greatest sum that is to be expected."""
    plain = forecast(usual())
    values = usual()
    values[-ago] *= factor
    found = forecast(values)
    expected, said = (one.sums[-1].quantiles(QUANTILES) for one in (plain, found))
    np.testing.assert_allclose(said, expected, rtol=0.12)
    np.testing.assert_allclose(found.steps, plain.steps, rtol=0.25)


def test_use_that_grows_is_expected_in_the_middle() -> None:
    """Not at the lower end of the band."""
    values = usual() * np.exp(np.arange(HOURS) / HOURS)
    low, middle, high = forecast(values).steps[0]
    assert low < middle < high


def test_the_first_hours_are_the_same_whatever_is_asked_behind_them() -> None:
    few, many = forecast(usual(), 1), forecast(usual(), 72)
    np.testing.assert_array_equal(few.steps[0], many.steps[0])

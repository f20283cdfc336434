"""Bands of days and sums."""

import numpy as np

from stream_jobs.forecasting.day_bands import POINTS, Bands, sizes, stated, wider
from stream_jobs.forecasting.day_history import Stored, look_back
from stream_jobs.forecasting.day_model import past_of
from tests.unit.forecasting.days import FIRST, noisy


def stored(noises: tuple[float, ...], days: int = 200) -> Stored:
    values = np.stack([noisy(days, seed=seed, noise=noise) for seed, noise in enumerate(noises)])
    return look_back(past_of(values, FIRST), np.arange(FIRST + 1, FIRST + days + 1), 14)


def test_a_noisy_series_has_a_wider_band() -> None:
    """Its size is its own, shrunk to its peers'."""
    found = sizes(looked := stored((0.05, 0.05, 0.05, 0.3)), looked.sum_errors, sums=True)
    assert found.own[-1, 3] > 1.5 * found.own[-1, :3].max()
    assert (found.own[0] == 1).all()


def test_nothing_known_yet_is_what_is_stated() -> None:
    """Rising errors, symmetric, whose mean absolute value is 1."""
    looked = stored((0.1,), days=2)
    bands = Bands(looked, sizes(looked, looked.sum_errors, sums=True), FIRST + 1, np.ones(1), np.zeros(1), sums=True)
    shape = bands.shape(7)
    assert len(shape) == POINTS
    assert (np.diff(shape) >= 0).all()
    assert abs(shape.mean()) < 1e-9
    assert bands.spread(0, 1) == stated(looked.knots, sums=True)[0] * wider(1, 0, 1)


def test_sizes_are_of_the_past_alone() -> None:
    """What is known at an origin is not changed by errors that come later."""
    looked = stored((0.1, 0.2))
    errors = looked.sum_errors.copy()
    errors[100:] *= 9
    before, after = (sizes(looked, given, sums=True) for given in (looked.sum_errors, errors))
    assert np.array_equal(before.usual[:101], after.usual[:101])
    assert not np.array_equal(before.usual[-1], after.usual[-1])


def test_few_days_and_days_far_off_widen() -> None:
    assert wider(1, 0, 0.1) > wider(7, 0, 0.1) > wider(1000, 0, 0.1) >= 1
    assert wider(1000, 0.3, 0.1) > 3

"""Simulated spend."""

import numpy as np
import pytest

from tests.benchmarks.forecasts.simulators import SIMULATORS


@pytest.mark.parametrize("name", SIMULATORS)
def test_spend(name: str) -> None:
    """The same for the same seed, other for another; never negative, never without end."""
    one, again, other = (SIMULATORS[name](seed, 3, 120) for seed in (1, 1, 2))
    assert np.array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    assert one.values.shape == (3, 120)
    assert np.isfinite(one.values).all()
    assert (one.values >= 0).all()

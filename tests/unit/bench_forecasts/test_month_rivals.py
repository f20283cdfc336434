"""Other forecasts of a month's rest."""

import numpy as np
import pytest

from tests.benchmarks.forecasts.month_rivals import CHEAP, SLOW
from tests.unit.forecasting.days import FIRST

WEEK = np.array([10.0, 10, 10, 10, 10, 1, 1])


def test_what_repeats_is_repeated() -> None:
    """Of twelve equal weeks: all but the run-rate know which days are left."""
    values = np.tile(WEEK, 12)
    for name, rival in CHEAP.items():
        found = rival(values, FIRST, 8, 9)
        assert np.isclose(found, 72 if name != "run-rate" else (52 + 1) / 8 * 9)


@pytest.mark.slow
def test_libraries() -> None:
    """Near it, with noise."""
    values = np.tile(WEEK, 20) * np.exp(np.random.default_rng(0).normal(0, 0.05, 140))
    for rival in SLOW.values():
        assert 65 < rival(values, FIRST, 8, 9) < 80

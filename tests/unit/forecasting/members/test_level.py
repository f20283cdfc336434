"""Where a series stands of late, and how far a trend still carries."""

import numpy as np
import pytest

from stream_jobs.forecasting.members.level import damped, recent


def test_the_recent_level_weighs_the_last_values_most() -> None:
    """From where it starts; gaps change nothing."""
    assert recent(np.array([10.0, 20.0]), 0.5, 0.0) == 12.5
    assert recent(np.array([np.nan, 10.0, np.nan, 20.0, np.nan]), 0.5, 0.0) == 12.5
    assert recent(np.zeros(0), 0.5, 3.0) == 3.0


def test_a_damped_trend_has_an_end() -> None:
    """Half of a slope of 8 is left from step to step; undamped it goes on."""
    assert damped(8.0, 0.5, 3).tolist() == [4.0, 6.0, 7.0]
    assert damped(8.0, 0.5, 1000)[-1] == pytest.approx(8.0)
    assert damped(-1.0, 1.0, 3).tolist() == [-1.0, -2.0, -3.0]
    assert damped(1.0, 0.9, 0).shape == (0,)

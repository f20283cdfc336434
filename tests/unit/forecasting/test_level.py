"""Where a series lies."""

import numpy as np

from stream_jobs.forecasting.level import RESET_DAYS, follow
from tests.unit.forecasting.days import noisy


def logs(days: int = 60) -> np.ndarray:
    return np.log(noisy(days))


def test_a_spike_hardly_moves_it() -> None:
    """Ten times as much for a day, and what believing it would have done is held back."""
    values = logs()
    calm = follow(values[None])
    values[-1] += np.log(10)
    found = follow(values[None])
    assert abs(found.now[0] - calm.now[0]) < 0.1
    assert found.held[0] > 0.2 > calm.held[0]


def test_days_on_one_side_move_it_at_once() -> None:
    """From the fourth day on it lies there, and what lay before is known to have moved."""
    values = logs()
    values[-RESET_DAYS:] += np.log(10)
    found = follow(values[None])
    assert abs(found.now[0] - np.log(1000)) < 0.2
    assert np.allclose(found.moved[0, :-RESET_DAYS], np.log(10), atol=0.3)
    assert (found.moved[0, -RESET_DAYS:] == 0).all()


def test_what_is_not_known_changes_nothing() -> None:
    """A gap in the middle, or at the end."""
    values = logs()
    with_gap = np.concatenate([values[:30], np.full(9, np.nan), values[30:], np.full(4, np.nan)])
    assert abs(follow(with_gap[None]).now[0] - follow(values[None]).now[0]) < 0.01


def test_series_do_not_touch_each_other() -> None:
    """Together as each alone."""
    two = np.stack([logs(), np.log(noisy(60, seed=1, usual=3.0, noise=0.5))])
    two[1, 40:] += 3
    together = follow(two)
    for place in range(2):
        assert follow(two[place : place + 1]).now[0] == together.now[place]


def test_nothing_known_is_finite() -> None:
    assert np.isfinite(follow(np.full((1, 5), np.nan)).now).all()

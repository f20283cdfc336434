"""A person and the model are compared on the same part of the time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.overrides import score, spread

NAN = float("nan")


def test_until_it_is_over_an_amount_is_spread_as_the_model_spreads_its_own() -> None:
    """30 % more than the model in all is 30 % more of each day; the model's own median of the sum is what it said."""
    found = score(130, 100, np.array([10.0, 30, 60]), np.array([12.0, 40, NAN]))
    assert [found.part, found.came, found.override, found.model] == pytest.approx([0.4, 52, 52, 40])
    assert (found.override_error, found.model_error, found.nearer) == (0, 12, "override")
    assert (found.over, found.cells, found.is_final) == (2, 3, False)


def test_when_it_is_over_the_whole_amount_counts() -> None:
    """Whatever the shape was, credits too."""
    found = score(50, 90, np.array([NAN, 0.0]), np.array([100.0, -5]))
    assert (found.part, found.came, found.override, found.model, found.is_final) == (1, 95, 50, 90, True)
    assert found.nearer == "model"


def test_nothing_to_compare_with_is_said() -> None:
    """No model, nothing over yet, no cell."""
    cells = np.array([1.0, 1])
    assert score(5, None, cells, cells).nearer == "unknown"
    waiting = score(5, 5, cells, np.array([NAN, NAN]))
    assert (waiting.over, waiting.part, waiting.came, waiting.nearer) == (0, 0, 0, "unknown")
    assert score(5, 5, np.zeros(0), np.zeros(0)).part == 0
    assert score(5, 5, cells, cells).nearer == "same"
    with pytest.raises(ValueError, match="2 cells were forecast and 0 came"):
        score(5, 5, cells, np.zeros(0))


SHAPE = st.lists(st.just(NAN) | st.floats(0, 1e9), min_size=1, max_size=40).map(np.array)


@given(st.floats(0, 1e12), SHAPE)
def test_what_is_spread_adds_up_to_the_amount(amount: float, shape: np.ndarray) -> None:
    """And is never negative or no number."""
    found = spread(amount, shape)
    assert found.sum() == pytest.approx(amount)
    assert np.isfinite(found).all()
    assert (found >= 0).all()

"""The median of several members."""

import numpy as np
import pytest

from stream_jobs.forecasting.combine import combined
from stream_jobs.forecasting.scales import Logarithm, Root


def test_the_median_of_each_step() -> None:
    """Whatever one member says."""
    members = np.array([[1.0, 5.0], [2.0, 1e9], [3.0, 7.0]])
    assert combined(members, Root()) == pytest.approx([2.0, 7.0])


def test_an_even_number_meets_in_the_middle_of_the_scale() -> None:
    """On the logarithm that is the geometric mean."""
    found = combined(np.array([[1.0], [100.0]]), Logarithm(1e-9))
    assert found == pytest.approx([10.0])


def test_who_says_nothing_of_a_step_has_no_vote() -> None:
    """A member may reach less far than the others."""
    members = np.array([[1.0, np.nan], [2.0, 4.0], [3.0, np.inf]])
    assert combined(members, Root()) == pytest.approx([2.0, 4.0])


@pytest.mark.parametrize(
    ("members", "least"),
    [(np.zeros((0, 3)), 0), (np.array([[1.0, np.nan]]), 0), (np.ones((2, 3)), 3), (np.array([[1, 1], [1, np.nan]]), 2)],
)
def test_too_few_members_make_no_forecast(members: np.ndarray, least: int) -> None:
    """At every step there must be one at least."""
    assert combined(members, Root(), least) is None


def test_no_steps_ahead_is_no_trouble() -> None:
    """Nothing is asked, nothing is said."""
    found = combined(np.zeros((2, 0)), Root(), 2)
    assert found is not None
    assert found.shape == (0,)

"""Medians and means of arrays with gaps are those of what is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_jobs.forecasting.robust import decayed, mean, median, middle, weighted_mean

VALUES = arrays(np.float64, (3, 7), elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)))


@given(VALUES)
def test_what_is_known_counts_alone(values: np.ndarray) -> None:
    for row, half, average in zip(values, median(values), mean(values), strict=True):
        known = row[np.isfinite(row)]
        if len(known):
            assert half == pytest.approx(np.median(known))
            assert average == pytest.approx(known.mean(), abs=1e-6)
        else:
            assert np.isnan(half)
            assert np.isnan(average)


@given(arrays(np.float64, (3, 5, 4), elements=st.sampled_from([np.nan, 0.0, 2.5])), st.integers(0, 2))
def test_along_any_axis(values: np.ndarray, axis: int) -> None:
    lines = np.moveaxis(values, axis, -1)
    np.testing.assert_array_equal(median(values, axis), median(lines))
    np.testing.assert_array_equal(mean(values, axis), mean(lines))


def test_nothing_at_all_is_not_known() -> None:
    assert np.isnan(median(np.zeros((2, 0)))).all()
    assert np.isnan(median(np.zeros((2, 0)), axis=1)).all()


def test_weights_halve_with_age() -> None:
    assert decayed(3, 1.0).tolist() == [0.25, 0.5, 1.0]
    assert weighted_mean(np.array([8.0, np.nan, 2.0]), decayed(3, 1.0)) == pytest.approx((8 * 0.25 + 2) / 1.25)


def test_the_middle_is_without_the_outermost() -> None:
    values = np.array([[9.0, 1.0, 4.0, np.nan, 2.0, 99.0], [7.0, 1.0, 3.0, np.nan, np.nan, np.nan]])
    assert middle(values, 2).tolist() == [4.0, 3.0]
    assert middle(values, 1).tolist() == [5.0, 3.0]
    assert middle(values[:, :3], 0).tolist() == pytest.approx([14 / 3, 11 / 3])


@given(VALUES)
def test_the_middle_lies_within_what_is_known(values: np.ndarray) -> None:
    for row, found in zip(values, middle(values, 2), strict=True):
        known = row[np.isfinite(row)]
        assert np.isnan(found) if not len(known) else known.min() - 1e-6 <= found <= known.max() + 1e-6

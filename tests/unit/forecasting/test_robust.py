"""Medians and means of arrays with gaps are those of what is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_jobs.forecasting.robust import decayed, mean, median, weighted_mean

VALUES = arrays(np.float64, (3, 7), elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)))


@given(VALUES)
def test_what_is_known_counts_alone(values: np.ndarray) -> None:
    for row, middle, average in zip(values, median(values), mean(values), strict=True):
        known = row[np.isfinite(row)]
        if len(known):
            assert middle == pytest.approx(np.median(known))
            assert average == pytest.approx(known.mean(), abs=1e-6)
        else:
            assert np.isnan(middle)
            assert np.isnan(average)


def test_nothing_at_all_is_not_known() -> None:
    assert np.isnan(median(np.zeros((2, 0)))).all()


def test_weights_halve_with_age() -> None:
    assert decayed(3, 1.0).tolist() == [0.25, 0.5, 1.0]
    assert weighted_mean(np.array([8.0, np.nan, 2.0]), decayed(3, 1.0)) == pytest.approx((8 * 0.25 + 2) / 1.25)

"""Means and medians of what is known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_jobs.forecasting.quiet import nanmean, nanmedian

SOME = arrays(np.float64, (3, 5, 4), elements=st.sampled_from([np.nan, 0.0, 1.0, 2.5, -3.0]))


@given(SOME, st.integers(0, 2))
def test_as_of_each_line(values: np.ndarray, axis: int) -> None:
    """As numpy's own of what is known in a line; NaN, and no warning, where nothing is."""
    for ours, numpys in ((nanmean, np.mean), (nanmedian, np.median)):
        found = ours(values, axis=axis)
        lines = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
        for line, one in zip(lines, found.ravel(), strict=True):
            known = line[np.isfinite(line)]
            assert np.isnan(one) if not len(known) else np.isclose(one, numpys(known))


def test_no_days() -> None:
    assert np.isnan(nanmedian(np.zeros((2, 0)), axis=1)).all()

"""Which values a series has had."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.detection.gauge_values import VALUES, KnownValues

ONE = np.array([0])


@given(st.lists(st.integers(-1_000, 1_000), max_size=VALUES // 2))
def test_nearest(past: list[int]) -> None:
    """With room for all, the distance is to the nearest value that ever was."""
    known = KnownValues()
    known.grow(1)
    for number, value in enumerate(past):
        expected = min((abs(value - other) for other in past[:number]), default=0)
        assert known.learn(ONE, np.array([float(value)])).tolist() == [expected]


def test_bounded() -> None:
    """Of more values than there is room for, the range and the gaps stay."""
    known = KnownValues()
    known.grow(1)
    both = np.concatenate([np.linspace(0, 1, 2_000), np.linspace(9, 10, 2_000)])
    values = np.random.default_rng(3).permutation(both)
    for value in values:
        known.learn(ONE, np.array([value]))
    kept = known.values[0]
    assert known.filled[0] == VALUES
    assert kept.min() < 0.01
    assert kept.max() > 9.99
    assert (np.diff(kept) >= 0).all()
    assert np.diff(kept).max() > 7.9
    assert np.sort(np.diff(kept))[-2] < 0.05

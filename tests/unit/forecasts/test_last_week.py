"""Last week once more."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasts.last_week import repeated


def test_what_repeats_itself_is_repeated() -> None:
    """With a band of nothing."""
    row = np.tile(np.arange(168.0), 4)
    (found,) = repeated(Panel(["s"], "hour", 0, row[None, :]), 200)
    assert np.allclose(found.steps[:, 1], np.resize(np.arange(168.0), 200))
    assert np.allclose(found.steps[:, 0], found.steps[:, 2])
    assert abs(found.sums[167].quantile(0.5) - row[:168].sum()) < 1e-6


@given(
    st.lists(st.one_of(st.floats(-100, 1e6), st.just(float("nan"))), max_size=60),
    st.sampled_from(["hour", "day"]),
    st.integers(0, 30),
)
def test_an_honest_answer_or_why_not(row: list[float], step: str, horizon: int) -> None:
    """Of any history: rising, finite, never negative; or a reason."""
    (found,) = repeated(Panel(["s"], step, 0, np.array([row], dtype=float).reshape(1, -1)), horizon)  # type: ignore[arg-type]
    if found.refused:
        assert found.why
        return
    assert found.steps.shape == (horizon, 3)
    assert np.isfinite(found.steps).all()
    assert (found.steps >= 0).all()
    assert (np.diff(found.steps, axis=1) >= 0).all()
    assert all(np.isfinite(one.quantile(0.9)) for one in found.sums)

"""All series together stay within their budget of false alerts, and small ones need more of a surprise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.anomalies.portfolio import MOST, more_nats

ALONE = 3.0 * 7 / 1000


def test_a_few_series_are_judged_as_if_each_were_alone() -> None:
    """The budget is a bound, and nothing to be used up."""
    assert more_nats(np.array([100.0, 1.0, 0.0]), 2.0, 3.0).tolist() == [0.0, 0.0, 0.0]
    assert len(more_nats(np.zeros(0), 2.0, 3.0)) == 0


def test_ten_thousand_of_one_size_need_nearly_five_nats() -> None:
    """210 a week would be theirs alone, two are allowed."""
    assert more_nats(np.ones(10_000), 2.0, 3.0) == pytest.approx(np.log(10_000 * ALONE / 2))
    assert more_nats(np.zeros(10_000), 2.0, 3.0) == pytest.approx(np.log(10_000 * ALONE / 2))


@pytest.mark.slow
@given(
    st.lists(st.floats(0, 1e9), min_size=200, max_size=400),
    st.floats(0.1, 4.0),
)
def test_together_they_cause_no_more_than_the_budget(spends: list[float], per_week: float) -> None:
    """Whoever has spent more needs no more of a surprise; and nobody is given up."""
    importance = np.array(spends)
    more = more_nats(importance, per_week, 3.0)
    assert (more >= 0).all()
    assert (more <= MOST).all()
    capped = more >= MOST - 1e-9
    assert (ALONE * np.exp(-more))[~capped].sum() <= per_week * (1 + 1e-6)
    order = np.argsort(importance)
    assert (np.diff(more[order]) <= 1e-9).all()

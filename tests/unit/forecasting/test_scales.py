"""What goes onto a scale comes back, and nothing that comes back is negative."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.scales import Logarithm, Root, Scale

SCALES = (Root(), Root(2.0), Logarithm(0.5))


@pytest.mark.parametrize("scale", SCALES)
@given(amount=st.floats(0, 1e12))
def test_there_and_back(scale: Scale, amount: float) -> None:
    assert scale.back(scale.to(amount)) == pytest.approx(amount, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("scale", SCALES)
@given(value=st.floats(-50, 50))
def test_nothing_is_negative(scale: Scale, value: float) -> None:
    assert scale.back(value) >= 0
    assert scale.to(-5.0) == scale.to(0.0)

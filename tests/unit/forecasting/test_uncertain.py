"""Quantiles and chances of a figure that is not known tell the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.scales import Logarithm, Root
from stream_jobs.forecasting.uncertain import Uncertain

SHAPE = np.linspace(-2, 2, 99)
FIGURE = Uncertain(5.0, 0.5, SHAPE, Root())


@given(st.floats(0.02, 0.98))
def test_a_quantile_is_exceeded_as_often_as_it_says(probability: float) -> None:
    assert FIGURE.chance_above(FIGURE.quantile(probability)) == pytest.approx(1 - probability, abs=1e-6)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_greater_amount_is_exceeded_less_often(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 1 >= FIGURE.chance_above(low) >= FIGURE.chance_above(high) >= 0


def test_beyond_all_errors_seen_nothing_is_certain() -> None:
    assert 0 < FIGURE.chance_above(FIGURE.quantile(1.0) * 1.5) < 0.005
    assert 0.995 < FIGURE.chance_above(FIGURE.quantile(0.0) * 0.8) < 1


def test_what_is_known_is_added() -> None:
    spent = FIGURE.plus(1_000.0)
    assert spent.quantile(0.5) == pytest.approx(1_000 + FIGURE.quantile(0.5))
    assert spent.chance_above(999.0) == 1.0
    assert spent.chance_above(1_000 + FIGURE.quantile(0.9)) == pytest.approx(0.1, abs=1e-6)


def test_what_has_no_spread_is_known() -> None:
    sure = Uncertain(np.log(11.0), 0.0, SHAPE, Logarithm(1.0))
    assert sure.quantile(0.9) == pytest.approx(10)
    assert (sure.chance_above(9.99), sure.chance_above(10.01)) == (1.0, 0.0)


def test_no_more_comes_than_can() -> None:
    bounded = Uncertain(5.0, 3.0, SHAPE, Root(), most=200.0)
    assert bounded.quantile(1.0) == 200
    assert bounded.chance_above(200.0) == 0


def test_several_quantiles_at_once() -> None:
    assert FIGURE.quantiles((0.1, 0.5)) == (FIGURE.quantile(0.1), FIGURE.quantile(0.5))

"""The parts of a change multiply to it, and their USD add up to it, whatever there is none of."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.drivers import PARTS, Amounts, amounts_of, decompose, expected_of, median_per_cell
from stream_jobs.forecasting.model import Forecast, refusal
from stream_jobs.forecasting.scales import Root
from stream_jobs.forecasting.uncertain import Uncertain

NOW = Amounts(cost=100, requests=1000, tokens=2_000_000)


def test_more_requests_longer_ones_and_a_contract_that_ends() -> None:
    """2 x 1.5 x 1.25, and the mix is as it was."""
    found = decompose(NOW, Amounts(375, 2000, 6_000_000), known_prices=1.25)
    assert found.ratio == 3.75
    assert [found.parts[part] for part in PARTS] == pytest.approx([2, 1.5, 1.25, 1])
    assert found.per == "token"
    assert sum(found.usd.values()) == pytest.approx(275)


def test_compute_has_a_price_per_request_and_what_has_no_requests_no_parts() -> None:
    """GPU hours and lump sums."""
    gpu = decompose(Amounts(100, 10), Amounts(300, 20))
    assert (gpu.parts["requests"], gpu.parts["price"], gpu.per) == (2, 1.5, "request")
    alone = decompose(Amounts(100, 0), Amounts(300, 20))
    assert (alone.parts["price"], alone.parts["requests"], alone.per) == (3, 1, "nothing")


def test_what_stops_is_told_as_requests_that_stop() -> None:
    """No part is infinite, and the one that is gone took it all."""
    found = decompose(NOW, Amounts(0, 0, 0))
    assert (found.ratio, found.parts["requests"], found.usd["requests"]) == (0, 0, -100)
    free = decompose(NOW, Amounts(0, 1000, 2_000_000))
    assert (free.parts["price"], free.usd["price"]) == (0, -100)
    stays = decompose(NOW, Amounts(50, 0, 0))  # it costs something all the same
    assert (stays.parts["requests"], stays.parts["price"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("now", "expected", "why"),
    [
        (Amounts(0, 10, 10), NOW, "nothing was spent lately"),
        (NOW, None, "have no forecast"),
        (NOW, Amounts(float("nan"), 1), "not known"),
        (NOW, Amounts(float("inf"), 1), "without end"),
        (Amounts(-5, 1), NOW, "negative"),
    ],
)
def test_what_cannot_be_told_says_why(now: Amounts, expected: Amounts | None, why: str) -> None:
    """Instead of a figure."""
    found = decompose(now, expected)
    assert found.ratio is None
    assert why in found.why
    assert not found.parts


AMOUNT = st.just(0.0) | st.floats(1e-15, 1e25) | st.floats(0.01, 1000)
AMOUNTS = st.builds(Amounts, AMOUNT, AMOUNT, AMOUNT)


@given(AMOUNTS, AMOUNTS, st.floats(1e-6, 1e6))
def test_parts_multiply_to_the_ratio_and_their_usd_add_up(now: Amounts, expected: Amounts, known: float) -> None:
    """Of any amounts; nothing is infinite, negative or no number."""
    found = decompose(now, expected, known)
    if found.ratio is None:
        assert found.why
        return
    assert set(found.parts) == set(found.usd) == set(PARTS)
    assert all(np.isfinite(part) and part >= 0 for part in found.parts.values())
    assert prod(found.parts.values()) == pytest.approx(found.ratio, rel=1e-9)
    assert found.ratio == pytest.approx(expected.cost / now.cost, rel=1e-9, abs=1e-6 if expected.cost < 1e-11 else 0)
    scale = max(1.0, *(abs(usd) for usd in found.usd.values()))
    assert sum(found.usd.values()) == pytest.approx(found.expected.cost - found.lately.cost, rel=1e-6, abs=1e-6 * scale)


def test_what_is_not_known_of_one_measure_is_left_out_of_all() -> None:
    """Else a quotient would compare different times."""
    nan = float("nan")
    found = amounts_of(np.array([1.0, 3.0, 50.0]), np.array([10.0, 30.0, nan]), np.array([nan, 90.0, 9.0]))
    assert found == Amounts(3, 30, 90)
    assert amounts_of(np.array([nan]), np.array([1.0]), np.array([1.0])) == Amounts(0, 0)
    assert amounts_of(np.array([-3.0]), np.array([2.0]), np.array([1.0])) == Amounts(0, 2, 1)


def test_what_is_expected_is_the_median_of_the_sum_per_cell() -> None:
    """A refused forecast is none; without tokens there are none."""

    def forecast(total: float) -> Forecast:
        known = Uncertain(0.0, 0.0, np.zeros(0), Root(), known=total)
        return Forecast("s", np.zeros((2, 3)), (known, known), "m", ("m",), "steady")

    assert median_per_cell(forecast(8), 2) == 4
    assert median_per_cell(forecast(-8), 2) == 0
    assert median_per_cell(refusal("s", "too short"), 2) is None
    assert median_per_cell(forecast(8), 3) is None
    assert expected_of(4, 20, None) == Amounts(4, 20, 0)
    assert expected_of(4, None, 5) is None

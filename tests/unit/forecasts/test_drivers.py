"""What moves a cost, of what one run says of costs, requests and tokens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from stream_jobs.forecasting.model import Forecast, refusal
from stream_jobs.forecasting.scales import Root
from stream_jobs.forecasting.uncertain import Uncertain
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.drivers import AHEAD, LATELY, Moves
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.model import Key, Past
from stream_jobs.series.measures import Measure

NOW = datetime(2026, 11, 30, tzinfo=UTC)
LEASE = Lease(NOW, "day", NOW, NOW + timedelta(days=1), NOW + timedelta(minutes=10))
HORIZON = 90


def past(measure: Measure, per_day: float, *, days: int = 40, budget: str = "") -> Past:
    return Past(Grid("day"), 700, [Key(budget, (), (), measure)], np.full((1, days), per_day))


def forecast(per_day: float) -> Forecast:
    sums = [Uncertain(0.0, 0.0, np.zeros(0), Root(), known=per_day * (step + 1)) for step in range(HORIZON)]
    return Forecast("s", np.full((HORIZON, 3), per_day), sums, "m", ("m",), "steady")


def moves(cost: float, requests: float, tokens: float, known: Beforehand | None = None) -> Moves:
    """From $10, 100 requests and 1000 tokens each, every day."""
    found = Moves()
    found.add(past("effective_cost", 10), [forecast(cost)], known, HORIZON)
    found.add(past("events", 100), [forecast(requests)], None, HORIZON)
    found.add(past("tokens", 100_000), [forecast(tokens)], None, HORIZON)
    return found


def test_a_difference_is_told_by_its_parts() -> None:
    """Twice the requests, of half as many tokens, whose price stays: of each length ahead."""
    rows = list(moves(10, 200, 100_000).rows(LEASE))
    assert [row["days"] for row in rows] == list(AHEAD)
    for row in rows:
        assert (row["run"], row["dims"], row["vals"], row["per"]) == (NOW, [], [], "token")
        assert (row["cost_lately"], row["cost_ahead"], row["ratio"]) == (Decimal(10), Decimal(10), pytest.approx(1))
        assert (row["requests_factor"], row["tokens_per_request_factor"]) == (pytest.approx(2), pytest.approx(0.5))
        assert (row["known_prices_factor"], row["price_factor"]) == (1, pytest.approx(1))
        assert row["requests_usd"] == -row["tokens_per_request_usd"] == pytest.approx(Decimal("6.931471805599"))


def test_prices_that_are_known_are_told_apart_by_how_long_they_hold() -> None:
    """Half as dear again from the eighth day ahead on: of 28 days three quarters; and dearer for the last half of what
    was lately is dearer already."""
    cells = 40
    prices = np.ones((1, cells + HORIZON))
    prices[:, cells + 7 :] = 1.5
    known = Beforehand("day", 700, cells, prices, np.zeros_like(prices), [""], (), prices)
    found = [row["known_prices_factor"] for row in moves(10, 100, 100_000, known).rows(LEASE)]
    assert found == pytest.approx([1, 1 + 0.5 * 21 / 28, 1 + 0.5 * 77 / 84])
    before = np.ones_like(prices)
    before[:, : cells - LATELY // 2] = 0.5
    found = [
        row["known_prices_factor"]
        for row in moves(10, 100, 100_000, replace(known, factors=before, prices=before)).rows(LEASE)
    ]
    assert found == pytest.approx([1 / 0.75] * 3)


def test_what_cannot_be_told_has_its_reason_and_no_figures() -> None:
    """A refused forecast; what has no requests watched has no row; budgets have none."""
    found = Moves()
    found.add(past("effective_cost", 10), [refusal("s", "too short")], None, HORIZON)
    found.add(past("events", 100), [forecast(100)], None, HORIZON)
    assert list(found.rows(LEASE)) == []
    found.add(past("tokens", 5), [forecast(5)], None, HORIZON)
    found.add(past("effective_cost", 10, budget="b"), [forecast(99)], None, HORIZON)
    rows = list(found.rows(LEASE))
    assert {row["why"] for row in rows} == {"its cost or its requests have no forecast"}
    assert {row["cost_ahead"] for row in rows} == {row["ratio"] for row in rows} == {None}
    assert {row["cost_lately"] for row in rows} == {Decimal(10)}


def test_a_short_history_and_a_short_horizon_say_what_they_can() -> None:
    """Nine days are compared with, and nothing is said beyond what is forecast."""
    found = Moves()
    for measure, amount in (("effective_cost", 1.0), ("events", 10.0), ("tokens", 0.0)):
        one = past(measure, amount, days=9)  # type: ignore[arg-type]
        one.values[0, 0] = np.nan
        found.add(one, [forecast(2 * amount)], None, 30)
    rows = list(found.rows(LEASE))
    assert [(row["days"], row["per"], row["ratio"], row["requests_factor"]) for row in rows] == [
        (7, "request", 2, 2),
        (28, "request", 2, 2),
    ]

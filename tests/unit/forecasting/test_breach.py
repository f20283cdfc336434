"""Whether an amount lasts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.breach import NEVER, breach_of
from stream_jobs.forecasting.scales import Logarithm
from stream_jobs.forecasting.uncertain import Uncertain


def sums(days: int, each: float = 10.0, spread: float = 0.1) -> list[Uncertain]:
    shape = np.linspace(-2.5, 2.5, 95)
    return [Uncertain(float(np.log(each * (day + 1))), spread, shape, Logarithm(1e-9)) for day in range(days)]


def test_days_and_totals() -> None:
    """100 spent of 250, some 10 a day for 30 days: gone around the 15th of them."""
    found = breach_of(100, 250, sums(30))
    assert found.probability > 0.99
    assert found.days[1] in (14, 15)
    assert None not in found.days
    assert list(found.days) == sorted(day for day in found.days if day is not None)
    assert found.total[0] < 400 < found.total[2]
    assert abs(found.total[1] - 400) < 1


def test_not_within_the_period() -> None:
    """A chance of some percent has no date."""
    found = breach_of(0, 500, sums(30))
    assert found.probability < 0.05
    assert found.days == NEVER
    narrow = breach_of(0, 300, sums(30))
    assert abs(narrow.probability - 0.5) < 0.02
    assert narrow.days[0] is not None
    assert narrow.days[2] is None


@pytest.mark.parametrize("days", [0, 30])
def test_what_has_passed(days: int) -> None:
    """Is sure, also when the period is over."""
    found = breach_of(251, 250, sums(days))
    assert found.probability == 1
    assert found.days == (-1, -1, -1)
    assert found.total[0] >= 251


def test_a_period_that_is_over() -> None:
    """What was spent is all there is."""
    assert breach_of(249, 250, []) == breach_of(249, 250, ())
    assert breach_of(249, 250, []).probability == 0
    assert breach_of(249, 250, []).total == (249, 249, 249)


def test_nothing_may_be_spent() -> None:
    """An amount of 0 is passed by anything, and by nothing before it."""
    assert breach_of(0, 0, sums(3)).probability > 0.99
    assert breach_of(0, 0, [Uncertain(0.0, 0.0, np.zeros(0), Logarithm(1.0))]).probability == 0


def test_a_day_that_goes_on() -> None:
    """Half a day's worth that came already does not come again; what is spent is never unspent."""
    whole, rest = breach_of(100, 105, sums(1)), breach_of(105, 115, sums(1), passed=5)
    assert whole.probability > 0.99
    assert abs(rest.total[1] - 110) < 0.1
    assert rest.total[0] >= 105


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(0, 20), st.floats(0, 3))
def test_dates_rise_and_agree_with_the_chance(spent: float, amount: float, days: int, spread: float) -> None:
    """P10 is no later than P50, which is no later than P90; there is a date where the chance reaches it."""
    found = breach_of(spent, amount, sums(days, spread=spread))
    assert 0 <= found.probability <= 1
    assert found.total[0] <= found.total[1] <= found.total[2]
    ranks = [days if day is None else day for day in found.days]
    assert ranks == sorted(ranks)
    for wanted, day in zip((0.1, 0.5, 0.9), found.days, strict=True):
        assert day is not None or found.probability < wanted

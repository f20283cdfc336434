"""What people declare."""

import numpy as np
import pytest

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.declared import Declared
from tests.unit.forecasting.days import FIRST, noisy, panel


def declared(
    days: int, *, factor_from: int | None = None, factor: float = 3.0, amount_on: int | None = None
) -> Declared:
    factors, amounts = np.ones((1, days)), np.zeros((1, days))
    if factor_from is not None:
        factors[0, factor_from:] = factor
    if amount_on is not None:
        amounts[0, amount_on] = 5000
    return Declared(FIRST, factors, amounts)


def test_a_launch_to_come_is_in_the_forecast() -> None:
    """From its day on three times as much; the days before are as they were."""
    plain = forecast_days(panel(noisy(90)), 20)[0]
    told = forecast_days(panel(noisy(90)), 20, declared=declared(110, factor_from=100))[0]
    assert np.allclose(told.steps[:10], plain.steps[:10])
    assert np.allclose(told.steps[10:, 1], 3 * plain.steps[10:, 1], rtol=0.05)


def test_a_launch_that_was_is_no_surprise() -> None:
    """A step of yesterday that was declared is in the forecast at once."""
    values = noisy(90)
    values[88:] *= 3
    told = forecast_days(panel(values), 20, declared=declared(110, factor_from=88))[0]
    assert abs(told.sums[-1].quantile(0.5) / 6000 - 1) < 0.1


@pytest.mark.slow
def test_a_purchase_is_an_amount_of_its_day() -> None:
    """In the past no part of the rate, in the future part of the sum, and sure."""
    values = noisy(90)
    values[80] += 5000
    told = forecast_days(panel(values), 20, declared=declared(110, amount_on=80))[0]
    assert np.allclose(told.steps, forecast_days(panel(noisy(90)), 20)[0].steps, rtol=1e-6)
    ahead = forecast_days(panel(noisy(90)), 20, declared=declared(110, amount_on=95))[0]
    assert ahead.sums[4].quantile(0.1) < 5000 < ahead.sums[5].quantile(0.1)


@pytest.mark.parametrize(("factor", "amount"), [(0.0, 0.0), (np.nan, 0.0), (1e9, 0.0), (1.0, -1.0), (1.0, np.inf)])
def test_nonsense_is_refused(factor: float, amount: float) -> None:
    with pytest.raises(ValueError, match="declared"):
        Declared(FIRST, np.full((1, 2), factor), np.full((1, 2), amount))

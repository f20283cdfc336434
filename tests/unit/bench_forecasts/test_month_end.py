"""How forecasts of months are measured."""

import numpy as np
import pytest

from tests.benchmarks.forecasts.month_end import (
    Alerts,
    Month,
    alerts,
    brier,
    calibration_error,
    error,
    measure,
    ratio,
    tails,
)
from tests.benchmarks.forecasts.simulators import Spend, walk

pytestmark = pytest.mark.slow


def test_scores() -> None:
    """By hand, of two months."""
    good = Month(100, 90, 95, 99, 80, 0.9, raised=True, flips=3, rivals={"naive": 120})
    bad = Month(100, 90, 110, 120, 120, 0.3, raised=True, flips=1, rivals={"naive": 130})
    assert error([good, bad]) == pytest.approx(0.075)
    assert ratio([good, bad], "naive") == pytest.approx(0.3)
    assert tails([good, bad]) == (0, 0.5)
    assert brier([good, bad]) == pytest.approx((0.01 + 0.09) / 2)
    assert calibration_error([good, bad]) == pytest.approx((0.1 + 0.3) / 2)
    assert alerts([good, bad]) == Alerts(0.5, 0.5, 1.0, 0.5)


def test_whole_months_from_their_tenth_day() -> None:
    """Of each budget every month that is whole after the warm-up; the truth is not changed by what is said."""
    spend = walk(5, 3, 300)
    months = measure(spend, seed=1)
    assert len(months) == 3 * 3  # July to September
    first = spend.values[:, 182:213].sum(axis=1)
    assert [month.total for month in months[:3]] == pytest.approx(first.tolist())
    assert all(month.low <= month.middle <= month.high for month in months)
    assert set(months[0].rivals) == {"run-rate", "last week", "4-week mean"}


def test_what_comes_later_is_not_used() -> None:
    """Days after the tenth change what came, not what was said on it."""
    spend = walk(5, 2, 213)
    later = spend.values.copy()
    later[:, 182 + 10 :] *= 3
    calm, wild = (measure(Spend(spend.first, values), seed=1) for values in (spend.values, later))
    for one, other in zip(calm, wild, strict=True):
        assert (one.low, one.middle, one.high, one.chance) == (other.low, other.middle, other.high, other.chance)
        assert one.rivals == other.rivals
    assert not np.isclose(calm[0].total, wild[0].total)

"""Days around the ends of months."""

import numpy as np

from stream_jobs.forecasting.months import EDGE, effects, first_of_month, places
from tests.unit.forecasting.days import FIRST, noisy, ordinal


def test_places() -> None:
    """The last three days and the first three, of a leap February too."""
    days = np.arange(ordinal("2028-02-25"), ordinal("2028-03-06"))
    assert places(days).tolist() == [-1, -1, 0, 1, 2, 3, 4, 5, -1, -1]
    assert first_of_month(ordinal("2028-02-29")) == ordinal("2028-02-01")


def billed(days: int, months: int) -> np.ndarray:
    """Half as much again on the last two days of so many months."""
    values = np.log(noisy(days))
    at = places(np.arange(FIRST, FIRST + days))
    ends = np.nonzero((at == EDGE - 1) | (at == EDGE - 2))[0][: 2 * months]
    values[ends] += 0.4
    return values


def test_what_months_agree_on() -> None:
    """The days of a billing run, and no others."""
    found = effects(billed(300, 12)[None], FIRST)[0]
    assert np.allclose(found[[1, 2]], 0.4, atol=0.15)
    assert np.abs(found[[0, 3, 4, 5]]).max() < 0.06


def test_one_month_is_no_rule() -> None:
    """Nor are two weeks of history."""
    assert np.abs(effects(billed(300, 1)[None], FIRST)).max() < 0.1
    assert (effects(billed(14, 1)[None], FIRST) == 0).all()
    assert (effects(np.full((1, 300), np.nan), FIRST) == 0).all()

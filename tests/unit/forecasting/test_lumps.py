"""Lump sums."""

from collections.abc import Mapping

import numpy as np

from stream_jobs.forecasting.lumps import Lumps, find, to_come, usual
from tests.unit.forecasting.days import FIRST, noisy, ordinal


def with_lumps(amounts: Mapping[str, float], days: int = 140) -> np.ndarray:
    values = noisy(days)
    for day, amount in amounts.items():
        values[ordinal(day) - FIRST] += amount
    return values[None]


def found_in(values: np.ndarray) -> Lumps:
    return find(values, *usual(values), FIRST)


def test_a_subscription_on_the_1st_comes_again() -> None:
    """About its amount, on that day alone, and no day of its kind is part of the rate."""
    values = with_lumps({"2027-03-01": 900, "2027-04-01": 900, "2027-05-01": 900})
    found = found_in(values)
    assert abs(found.amounts[0, 0] - 900) < 60
    assert (found.amounts[0, 1:] == 0).all()
    assert found.found[0, ordinal("2027-04-01") - FIRST]
    ahead = to_come(found.amounts, ordinal("2027-05-25"), 10)[0]
    assert np.nonzero(ahead)[0].tolist() == [7]


def test_once_is_a_spike() -> None:
    """Nor is it a rule where it stopped, or where amounts have nothing in common."""
    for amounts in (
        {"2027-05-01": 900},
        {"2027-02-01": 900, "2027-03-01": 900},
        {"2027-04-01": 300, "2027-05-01": 2000},
    ):
        assert (found_in(with_lumps(amounts)).amounts == 0).all()


def test_the_31st_comes_when_there_is_one() -> None:
    """February and April have none."""
    amounts = np.zeros((1, 31))
    amounts[0, 30] = 5.0
    ahead = to_come(amounts, ordinal("2027-03-01"), 61)[0]
    assert np.nonzero(ahead)[0].tolist() == [30]


def test_what_is_usual_knows_only_the_past() -> None:
    """A day's own amount is not in it."""
    values = with_lumps({})
    middle, apart = usual(values)
    values[0, 100:] *= 50
    assert np.array_equal(usual(values)[0][:, :101], middle[:, :101], equal_nan=True)
    assert np.array_equal(usual(values)[1][:, :101], apart[:, :101], equal_nan=True)

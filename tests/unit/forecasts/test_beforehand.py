"""What is known beforehand, as forecasts take it."""

import numpy as np

from stream_jobs.forecasting.model import refusal
from stream_jobs.forecasts.beforehand import LEAST_FACTOR, USUAL_BY_NOW, Beforehand

CELLS, HORIZON = 60, 20


def known(factors: np.ndarray) -> Beforehand:
    given = factors[None, :].astype(float)
    return Beforehand("day", 700, CELLS, given, np.zeros_like(given), ["planned: it"])


def test_factors_are_what_forecasts_accept_and_cells_of_nothing_teach_nothing() -> None:
    """A closed day of the past is not known; one to come is next to nothing."""
    factors = np.ones(CELLS + HORIZON)
    factors[[10, CELLS + 3]], factors[20] = 0, 1e5
    found = known(factors)
    declared = found.declared()
    assert declared.factors[0, [9, 10, 20, CELLS + 3]].tolist() == [1, LEAST_FACTOR, 1000, LEAST_FACTOR]
    assert np.flatnonzero(np.isnan(found.learnable(np.ones((1, CELLS)))[0])).tolist() == [10]


def test_what_is_nothing_for_good_is_usual_after_a_while() -> None:
    """Until then it is declared; from then on the figures say so themselves, and something can be said of them."""
    for since, usual in ((USUAL_BY_NOW["day"], False), (USUAL_BY_NOW["day"] + 1, True)):
        factors = np.ones(CELLS + HORIZON)
        factors[CELLS - since :] = 0
        found = known(factors)
        assert np.isnan(found.learnable(np.zeros((1, CELLS)))).any() != usual
        assert (found.declared().factors[0, -1] == 1) == usual


def test_a_closure_that_ends_is_never_what_is_usual() -> None:
    """However long it is: after it all goes on as before."""
    factors = np.ones(CELLS + HORIZON)
    factors[CELLS - 30 : CELLS + 10] = 0
    found = known(factors)
    assert np.isnan(found.learnable(np.zeros((1, CELLS)))[0, -30:]).all()
    assert found.declared().factors[0, [CELLS, -1]].tolist() == [LEAST_FACTOR, 1]


def test_why_stands_beside_what_a_forecast_says_itself() -> None:
    """For people."""
    (found,) = known(np.ones(CELLS + HORIZON)).told([refusal("a", "too young")])
    assert found.why == "too young; planned: it"

"""Days off that nobody declared."""

from collections.abc import Collection

import numpy as np
import pytest

from stream_jobs.forecasting.day_outlook import DayOutlook
from stream_jobs.forecasting.days_off import LONGEST, find
from tests.unit.forecasting.days import FIRST, Floats, noisy, panel

DAYS = 140
OFF = FIRST + 7 * 13 + 2  # a Wednesday


def tenant(series: int = 8, *, off: Collection[int] = (), days: int = DAYS, noise: float = 0.1) -> Floats:
    """Of which all rest on the days `off` as on weekends."""
    values = np.stack([noisy(days, seed=seed, noise=noise, weekend=0.4) for seed in range(series)])
    for day in off:
        values[:, day - FIRST] *= 0.4
    return values


def found(values: Floats, until: int = FIRST + DAYS) -> frozenset[int]:
    return find(np.log(values), FIRST).before(until)


@pytest.mark.parametrize("days", [[OFF], [OFF, OFF + 30], [OFF, OFF + 1, OFF + 2], [OFF + 2, OFF + 5]])
def test_days_on_which_all_rest_are_found(days: list[int]) -> None:
    """A Friday and the Monday behind it are a run of two."""
    assert found(tenant(off=days)) == set(days)


def test_of_few_series_nobody_knows() -> None:
    assert not found(tenant(4, off=[OFF]))


def test_a_day_on_which_some_rest_is_none() -> None:
    values = tenant()
    values[:5, OFF - FIRST] *= 0.4
    assert not found(values)


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.4])
def test_noise_is_no_day_off(noise: float) -> None:
    """Neither where series are noisy by themselves, nor where they are together, as overlapping ones are: one day in a
    year at most looks like one."""
    years, wrong = 5, 0
    for year in range(years):
        alone = np.stack([noisy(365, seed=100 * year + one, noise=noise, weekend=0.4) for one in range(8)])
        for values in (alone, alone[:1] * np.linspace(1, 2, 8)[:, None]):
            wrong += len(found(values, FIRST + 365))
    assert wrong <= 2 * years


def test_what_stays_low_is_the_new_level() -> None:
    """It looks like days off for the first three of them; on the next working day it does no more."""
    values = tenant()
    values[:, OFF - FIRST :] *= 0.4
    assert found(values, OFF + LONGEST) == {OFF, OFF + 1, OFF + 2}
    for later in (OFF + 6, OFF + 10, OFF + 30, FIRST + DAYS):
        assert not found(values, later)


def test_nothing_behind_a_day_tells_of_it() -> None:
    values = tenant(off=[OFF, OFF + 20])
    for day in range(OFF - 3, OFF + 40):
        assert found(values, day) == found(values[:, : day - FIRST], day)


def test_gaps_zeros_and_single_days() -> None:
    """Whatever is there or not there: no error, and nothing found."""
    for days in (0, 1, 6, 7, 28, 29, 60):
        with np.errstate(divide="ignore"):
            assert not find(np.log(np.zeros((6, days)) + 1e-12), FIRST).runs
        assert not find(np.full((6, days), np.nan), FIRST).runs


def test_a_day_off_teaches_nothing_of_levels() -> None:
    """On the day after it is forecast as if it had been declared."""
    values = tenant(off=[OFF, OFF + 1], noise=0.05)
    at = OFF + 2

    def sums(holidays: frozenset[int]) -> Floats:
        ahead = DayOutlook(panel(*values), 20, asked=[at], holidays=holidays).ahead(at, 20)
        return np.array([ahead.sum_of(series, 20).quantile(0.5) for series in range(len(values))])

    assert sums(frozenset()) == pytest.approx(sums(frozenset({OFF, OFF + 1})), rel=1e-3)

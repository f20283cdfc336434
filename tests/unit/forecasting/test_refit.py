"""When a slow member is fitted again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from stream_jobs.forecasting.refit import Stored, why_refit

FITTED = datetime(2026, 11, 1, tzinfo=UTC)
NOW = FITTED + timedelta(days=2)
UNTIL = FITTED + timedelta(days=90)
STORED = Stored(FITTED, UNTIL, np.tile([8.0, 10.0, 12.0], (48, 1)), np.full(48, 10.5), tested_error=1.0)


def reason(stored: Stored, now: datetime = NOW, needed_until: datetime = UNTIL) -> str | None:
    return why_refit(stored, now, needed_until)


def actuals(outside: int, of: int = 24, unknown: int = 0) -> np.ndarray:
    """The latest of 48: what was before them was far away."""
    return np.array([99.0] * (48 - of) + [np.nan] * unknown + [12.1] * outside + [10.0] * (of - unknown - outside))


def test_a_forecast_that_holds_is_kept() -> None:
    """Within its band, with its usual error, for a week."""
    assert reason(STORED) is None
    assert reason(STORED, FITTED + timedelta(days=7)) is None


def test_an_old_one_is_fitted_again() -> None:
    """After seven days."""
    assert reason(STORED, FITTED + timedelta(days=7, seconds=1)) == "it is older than 7 days"


@pytest.mark.parametrize("what", ["a level shift", "an event", "a price", "a budget"])
def test_a_change_since_the_fit_is_a_reason(what: str) -> None:
    """And one before it is none."""
    assert reason(replace(STORED, changes={what: FITTED + timedelta(seconds=1)})) == f"{what} changed"
    assert reason(replace(STORED, changes={what: FITTED})) is None


def test_a_band_that_is_left_by_more_than_35_percent_of_the_last_24_actuals() -> None:
    """8 of 24 are a third; what came before those is not asked."""
    wide = replace(STORED, tested_error=9.0)
    assert reason(replace(wide, actuals=actuals(8))) is None
    assert reason(replace(wide, actuals=actuals(9))) == "9 of the last 24 actuals are outside of its band"


def test_what_is_not_known_is_not_counted_and_few_decide_nothing() -> None:
    """12 at least."""
    wide = replace(STORED, tested_error=9.0)
    assert reason(replace(wide, actuals=actuals(5, unknown=12))) == "5 of the last 12 actuals are outside of its band"
    assert reason(replace(wide, actuals=actuals(11, unknown=13))) is None
    assert reason(replace(wide, actuals=np.zeros(0), bands=np.zeros((0, 3)))) is None


def test_an_error_of_1_3_times_its_back_tests() -> None:
    """Within the band all the time."""
    assert reason(replace(STORED, actuals=np.full(48, 11.29))) is None
    assert reason(replace(STORED, actuals=np.full(48, 11.3))) == "its error is 1.3 times that of its back-test"


@pytest.mark.parametrize("tested", [0.0, float("nan")])
def test_without_a_back_test_its_error_is_no_reason(tested: float) -> None:
    """There is nothing to compare it with."""
    assert reason(replace(STORED, tested_error=tested, actuals=np.full(48, 11.9))) is None


def test_one_that_ends_too_early_is_fitted_again() -> None:
    """The period of a budget may have grown."""
    assert reason(STORED, needed_until=UNTIL + timedelta(days=1)) == "the stored forecast does not reach far enough"

"""A history as libraries can be given it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.members.history import fill, prepare, scale_of
from stream_jobs.forecasting.members.model import Options, RefusedError
from stream_jobs.forecasting.scales import Logarithm, Root
from tests.unit.forecasting.members.series import HOUR, MONDAY, daily, hourly


def test_a_history_begins_with_its_first_known_cell() -> None:
    """Its first cell, its events and its factors move along."""
    values = np.concatenate([np.full(10, np.nan), daily(60)])
    event = np.zeros(77)
    event[40] = 1.0
    history = prepare(values, MONDAY - 10, "day", 7, Options(events={"launch": event}))
    assert (history.first, len(history.scaled), history.period) == (MONDAY, 60, 7)
    assert np.flatnonzero(history.events["launch"]).tolist() == [30]
    assert history.greatest == daily(60).max()


def test_hours_are_on_the_cube_root_and_days_on_the_logarithm() -> None:
    """Whose floor is a hundredth of the median; where that is 0, of the mean of what is not."""
    assert scale_of(hourly(), "hour") == Root(3.0)
    assert scale_of(np.full(5, 200.0), "day") == Logarithm(2.0)
    assert scale_of(np.array([0.0, 0.0, 0.0, 10.0, 30.0]), "day") == Logarithm(0.2)
    assert isinstance(scale_of(np.zeros(5), "day"), Logarithm)


def test_a_gap_is_filled_with_the_season_at_the_level_around_it() -> None:
    """Also where the level has moved, and at the end."""
    season = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    whole = np.tile(season, 8) + np.repeat([10.0, 20.0], 28)
    holey = whole.copy()
    holey[[3, 17, 18, 40, 41, 55]] = np.nan
    assert fill(holey, 7) == pytest.approx(whole)
    assert fill(whole, 7) is whole


@given(st.lists(st.floats(-1e3, 1e3) | st.just(float("nan")), min_size=1, max_size=60), st.integers(1, 24))
def test_what_is_known_stays_and_no_gap_remains(values: list[float], period: int) -> None:
    """Wherever the gaps are; where anything is known at all."""
    scaled = np.array(values)
    known = np.isfinite(scaled)
    if known.any():
        filled = fill(scaled, period)
        assert np.isfinite(filled).all()
        assert (filled[known] == scaled[known]).all()


def test_credits_are_nothing_and_what_is_ignored_is_unknown() -> None:
    """A negative amount is 0, as on every scale; an ignored one a gap."""
    values = daily(30)
    values[5] = -40.0
    ignored = np.zeros(30, dtype=bool)
    ignored[9] = True
    history = prepare(values, MONDAY, "day", 1, Options(ignored=ignored))
    assert history.scaled[5] == pytest.approx(
        np.log(history.scale.to(0.0) * 0 + 0.01 * np.median(np.delete(values, 9)))
    )
    assert np.isnan(history.scaled[9])


def test_a_series_that_never_moves_is_constant() -> None:
    """Up to what rounding makes of it."""
    assert prepare(np.full(30, 0.1 + 0.2), MONDAY, "day", 1, Options()).constant
    assert not prepare(daily(30), MONDAY, "day", 1, Options()).constant


def test_an_amount_beyond_any_usage_is_refused() -> None:
    """Rather than an overflow in a library."""
    with pytest.raises(RefusedError, match="which is no usage"):
        prepare(np.full(60, 1e19), HOUR, "hour", 1, Options())

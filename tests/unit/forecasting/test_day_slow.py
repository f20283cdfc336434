"""What slow members are given of days, and what becomes of what they say."""

import numpy as np
import pytest

from stream_jobs.forecasting import day_slow
from stream_jobs.forecasting.day_model import DayFit, Past
from stream_jobs.forecasting.day_outlook import DayOutlook
from stream_jobs.forecasting.day_slow import SlowPaths
from stream_jobs.forecasting.lumps import day_of_month
from tests.unit.forecasting.days import FIRST, noisy, panel

DAYS = 200
ORIGIN = FIRST + DAYS
NOBODY: frozenset[int] = frozenset()


def seen(values: np.ndarray, origin: int = ORIGIN) -> tuple[Past, DayFit]:
    return DayOutlook(panel(values), 7, asked=(origin,)).seen(origin)


def test_all_members_are_given_a_long_series() -> None:
    """One that is too young, that mostly rests or has stopped has none."""
    rests = np.where(np.arange(DAYS) % 3 == 0, 100.0, 0.0)
    stopped = np.where(np.arange(DAYS) < DAYS - 90, noisy(DAYS), 0.0)
    young = np.where(np.arange(DAYS) < DAYS - 167, np.nan, noisy(DAYS))
    past, fitted = DayOutlook(panel(noisy(DAYS), rests, stopped, young), 7).seen(ORIGIN)
    assert [len(day_slow.wanted(fitted, series)) for series in range(4)] == [4, 0, 0, 0]
    found = day_slow.tasks(past, fitted, 0, 97, NOBODY, "")
    assert [member for member, _ in found] == ["prophet", "ets", "theta", "stl"]
    assert {(task.first, len(task.values), task.horizon) for _, task in found} == {(FIRST, DAYS, 97)}


def test_lump_sums_and_levels_that_moved_are_taken_out() -> None:
    """What comes on the 1st is not known to a fit; days before a clear move lie where the series does now."""
    values = noisy(DAYS, noise=0.03)
    values[: DAYS - 20] *= 0.25
    firsts = [day for day in range(DAYS) if day_of_month(FIRST + day) == 1]
    values[firsts] += 300.0
    past, fitted = seen(values)
    taught = day_slow.tasks(past, fitted, 0, 7, NOBODY, "")[0][1].values
    assert np.isnan(taught[firsts]).all()
    assert np.nanmedian(taught[: DAYS - 20]) == pytest.approx(100, rel=0.1)
    assert np.nanmedian(taught[DAYS - 20 :]) == pytest.approx(100, rel=0.1)


def test_only_prophet_knows_holidays() -> None:
    """The others learn nothing of them, and say nothing of them."""
    holiday = frozenset({FIRST + 50, ORIGIN + 2})
    past, fitted = seen(noisy(DAYS))
    options = {member: task.options for member, task in day_slow.tasks(past, fitted, 0, 7, holiday, "DE")}
    assert options["prophet"].country == "DE"
    assert options["prophet"].ignored is None
    ignored = options["ets"].ignored
    assert ignored is not None
    assert np.flatnonzero(ignored).tolist() == [50]
    said = {member: day_slow.path_of(member, np.ones(5), ORIGIN, holiday, "DE") for member in ("prophet", "ets")}
    assert np.flatnonzero(np.isnan(said["ets"])).tolist() == [2]
    assert np.isfinite(said["prophet"]).all()


def test_only_prophet_learns_of_events() -> None:
    """Of the days that it is given, and of those ahead; nothing is known of them behind the horizon of the run."""
    past, fitted = seen(noisy(DAYS))
    lasts = np.zeros(DAYS + 7)
    lasts[[30, DAYS + 5]] = 0.5
    events = {
        member: task.options.events for member, task in day_slow.tasks(past, fitted, 0, 14, NOBODY, "", {"e": lasts})
    }
    assert {member for member, given in events.items() if given} == {"prophet"}
    assert events["prophet"]["e"].shape == (DAYS + 14,)
    assert np.flatnonzero(events["prophet"]["e"]).tolist() == [30, DAYS + 5]


def test_what_was_said_days_ago_is_said_of_the_same_days_now() -> None:
    """And nothing of days behind its end."""
    _, fitted = DayOutlook(panel(noisy(DAYS), noisy(DAYS, seed=1)), 7).seen(ORIGIN)
    said = {1: SlowPaths(ORIGIN - 3, {"ets": np.arange(8.0), "prophet": np.arange(10.0, 18.0)})}
    ets, prophet = day_slow.ahead(said, fitted, 7)
    assert np.isnan(ets[0]).all()
    assert ets[1] == pytest.approx([3, 4, 5, 6, 7, np.nan, np.nan], nan_ok=True)
    assert prophet[1] == pytest.approx([13, 14, 15, 16, 17, np.nan, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("since_the_move", "fitted_ago", "moved"), [(5, 3, True), (5, 2, True), (5, 1, False), (40, 3, False)]
)
def test_a_move_of_the_level_that_became_clear_since_is_told(since_the_move: int, fitted_ago: int, moved: bool) -> None:
    """It takes four days: who was fitted when these were over knew of it."""
    values = noisy(DAYS, noise=0.03)
    values[DAYS - since_the_move :] *= 3.0
    _, fitted = seen(values)
    assert day_slow.has_moved(fitted, 0, ORIGIN - fitted_ago) is moved

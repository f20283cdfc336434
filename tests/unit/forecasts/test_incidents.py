"""What no fit should see."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from stream_jobs.forecasts.incidents import LONGEST, Stretch, is_incident, without_incidents
from stream_jobs.forecasts.model import Key
from tests.unit.forecasts.build import BERLIN, HOURS, TOTAL, past, team

HOUR = timedelta(hours=1)
FIRST = 490_000


def at(cell: float) -> datetime:
    return HOURS.start(FIRST) + cell * HOUR


def test_the_hours_that_an_incident_moved_are_not_known() -> None:
    """Of its own series, and of no other; the figures themselves stay for those who score."""
    given = past([[10.0] * 400, [10.0] * 400], keys=[TOTAL, team("ads")], first=FIRST)
    found = without_incidents(given, [Stretch(("team",), ("ads",), at(350.5), at(352.5), 40.0)])
    assert np.flatnonzero(np.isnan(found[1])).tolist() == [350, 351, 352]
    assert not np.isnan(found[0]).any()
    assert not np.isnan(given.values).any()


def test_a_day_of_which_little_was_moved_stays() -> None:
    """A tenth is the bound."""
    grid, first = BERLIN, 739_000
    given = past([[100.0] * 80], grid=grid, first=first)
    start = grid.start(first + 60) + 3 * HOUR
    for excess, gone in ((9.0, []), (40.0, [60]), (-40.0, [60])):
        found = without_incidents(given, [Stretch((), (), start, start + HOUR, excess)])
        assert np.flatnonzero(np.isnan(found[0])).tolist() == gone, excess


def test_where_most_would_go_all_stays() -> None:
    """Then incidents are what is usual."""
    given = past([[10.0] * 400], first=FIRST)
    found = without_incidents(given, [Stretch((), (), at(cell), at(cell + 1), 20.0) for cell in range(100, 400, 3)])
    assert not np.isnan(found).any()


def test_budgets_and_stretches_outside_of_the_history_are_left_alone() -> None:
    """Nothing says that a budget's scope is that series; a stretch may begin before and end after."""
    key = Key("b", (), (), "effective_cost")
    given = past([[10.0] * 400, [10.0] * 400], keys=[key, TOTAL], first=FIRST)
    found = without_incidents(given, [Stretch((), (), at(-10), at(2), 400.0), Stretch((), (), at(399), at(500), 9e9)])
    assert np.flatnonzero(np.isnan(found[0])).tolist() == []
    assert np.flatnonzero(np.isnan(found[1])).tolist() == [0, 1, 399]


@pytest.mark.parametrize(
    ("kind", "closing", "lasted", "incident"),
    [
        ("spike", "over", HOUR, True),
        ("silence", "", HOUR, True),
        ("spike", "new_normal", HOUR, False),
        ("shift", "over", HOUR, False),
        ("new_series", "", HOUR, False),
        ("spike", "over", LONGEST + HOUR, False),
    ],
)
def test_what_stays_is_no_incident(kind: str, closing: str, lasted: timedelta, *, incident: bool) -> None:
    """A level, something new, what lasts."""
    assert is_incident(kind, closing, lasted) is incident

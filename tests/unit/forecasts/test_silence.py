"""Silent, or not known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasts.silence import NO_OUTAGE, before_the_first, unknown_cells

WEEKS = 4 * 7 * 24


def test_hours_without_anything_of_anybody_are_not_known() -> None:
    """Of usage that never sleeps."""
    total = np.ones(WEEKS)
    total[300:310] = 0
    assert np.flatnonzero(unknown_cells(total, "hour")).tolist() == list(range(300, 310))


def test_nights_that_are_always_silent_are_silent() -> None:
    """And an outage by day is none of them; the last night, too, of which nothing has come after."""
    hours = np.arange(WEEKS) % 24
    total = np.where((hours >= 8) & (hours < 20), 1.0, 0.0)
    total[24 * 10 + 12 : 24 * 10 + 16] = 0
    unknown = np.flatnonzero(unknown_cells(total, "hour")).tolist()
    assert unknown == [*range(8), *range(24 * 10 + 12, 24 * 10 + 16)]  # what was before the first morning, too


def test_weekends_without_usage_are_silent_by_the_day() -> None:
    """A Wednesday is not."""
    total = np.where(np.arange(70) % 7 < 5, 1.0, 0.0)
    total[37] = 0
    assert np.flatnonzero(unknown_cells(total, "day")).tolist() == [37]


def test_nobody_leaves_a_pipeline_down_for_ever() -> None:
    """A silence of a week is one."""
    total = np.ones(WEEKS)
    total[-NO_OUTAGE["hour"] :] = 0
    assert not unknown_cells(total, "hour").any()
    total[-NO_OUTAGE["hour"]] = 1
    assert unknown_cells(total, "hour").sum() == NO_OUTAGE["hour"] - 1


def test_nothing_is_known_before_anything_came() -> None:
    """Nor if nothing ever did."""
    assert unknown_cells(np.zeros(48), "hour").all()
    assert np.flatnonzero(unknown_cells(np.array([0.0, 0.0, 1.0, 2.0]), "hour")).tolist() == [0, 1]


@given(st.lists(st.sampled_from([0.0, 1.0, -1.0]), min_size=1, max_size=400))
def test_what_holds_something_is_known(cells: list[float]) -> None:
    """Credits are something, too."""
    assert not (unknown_cells(np.array(cells), "hour") & (np.array(cells) != 0)).any()


def test_a_series_begins_with_the_first_that_came_of_it() -> None:
    """What was not known before is before it, too."""
    rows = np.array([[np.nan, 0.0, -1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [2.0, 0.0, np.nan, 1.0]])
    assert before_the_first(rows).tolist() == [[True, True, False, False], [True] * 4, [False] * 4]

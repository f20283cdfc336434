"""What a young series borrows: the course of the others' day, at a level of its own."""

import numpy as np
import pytest

from stream_jobs.forecasting.peers import ENOUGH, age_of, borrowed, course_of_peers


def course() -> np.ndarray:
    return np.asarray(1 + 0.5 * np.sin(2 * np.pi * np.arange(24) / 24))


def test_the_course_is_that_of_most() -> None:
    window = np.outer([2.0, 4.0, 8.0, 3.0, 5.0, 9.0], np.tile(course(), 3))
    window[0] = window[0, ::-1]
    found = course_of_peers(window)
    assert found is not None
    assert found == pytest.approx(course(), rel=0.01)


def test_few_peers_have_nothing_in_common() -> None:
    assert course_of_peers(np.ones((ENOUGH - 1, 48))) is None


def test_hours_that_nobody_knows_leave_no_course() -> None:
    window = np.ones((ENOUGH, 24))
    window[:, 3] = np.nan
    assert course_of_peers(window) is None


def test_a_series_of_some_hours_takes_its_own_level() -> None:
    window = np.full((1, 24), np.nan)
    window[0, -5:] = 3 * course()[-5:]
    for lent in borrowed(window, course(), 24):
        assert lent[0] == pytest.approx(3 * course(), rel=0.01)


def test_age_counts_from_the_first_hour_that_is_known() -> None:
    window = np.array([[np.nan, 1, np.nan, 2], [np.nan] * 4, [0, 0, 0, 0]])
    assert age_of(window).tolist() == [3, 0, 4]

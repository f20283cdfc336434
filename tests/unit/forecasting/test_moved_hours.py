"""A batch that comes at another hour is expected there, from the second time on."""

import numpy as np
import pytest

from tests.unit.forecasting.test_same_hours import CELLS, HOUR, WEEKDAY, steps_of, used

AHEAD = CELLS[-1] + 1 + np.arange(168)


def moved(at: np.ndarray, days_ago: int, shift: int) -> np.ndarray:
    """What is used where `at` says, of late `shift` hours later."""
    since = CELLS[-1] + 1 - 24 * days_ago <= CELLS
    return used(np.where(since, np.roll(at, shift), at))


@pytest.mark.parametrize("shift", [-12, -3, -1, 1, 2, 9])
@pytest.mark.parametrize("days_ago", [3, 14, 33])
@pytest.mark.parametrize("hours", [(13,), (13, 14), (13, 14, 15, 17)])
def test_a_batch_is_expected_where_it_came_of_late(shift: int, days_ago: int, hours: tuple[int, ...]) -> None:
    """However long ago it has moved; of several hours too, which overlap."""
    values = moved(np.isin(HOUR, hours), days_ago, shift)
    steps, method = steps_of(values)
    assert method == "the same hours"
    expected = np.isin((AHEAD - shift) % 24, hours)
    assert ((steps[:, 1] > 0) == expected).all()
    assert (steps[expected, 0] > 700).all()


def test_clocks_change_what_runs_on_workdays() -> None:
    """In the first week of winter time: three workdays are enough."""
    workdays = (HOUR == 6) & (WEEKDAY < 5)
    steps, _ = steps_of(moved(workdays, 5, 1))
    ahead = AHEAD - 1
    assert ((steps[:, 1] > 0) == ((ahead % 24 == 6) & (ahead // 24 % 7 < 5))).all()


@pytest.mark.parametrize("days_ago", [3, 12, 25])
@pytest.mark.parametrize(("before", "since"), [((2, 14), (2, 13)), ((2, 3), (2, 5)), ((2, 3, 20), (2, 3, 8))])
def test_one_of_two_batches_moves(before: tuple[int, ...], since: tuple[int, ...], days_ago: int) -> None:
    late = CELLS[-1] + 1 - 24 * days_ago <= CELLS
    values = used(np.where(late, np.isin(HOUR, since), np.isin(HOUR, before)))
    steps, _ = steps_of(values)
    expected = np.isin(AHEAD % 24, since)
    assert ((steps[:, 1] > 0) == expected).all()
    assert (steps[expected, 0] > 700).all()


def test_once_is_no_move() -> None:
    """Nor is another use beside the usual one."""
    usual = (AHEAD % 24) == 2
    late = used(HOUR == 2)
    late[-22], late[-20] = 0.0, 1000.0
    beside = used((HOUR == 2) | ((HOUR == 5) & (CELLS[-1] - 24 * 4 < CELLS)))
    for values in (late, beside):
        assert ((steps_of(values)[0][:, 1] > 0) == usual).all()


def test_what_is_not_known_has_not_moved() -> None:
    values = moved(HOUR == 2, 3, 1)
    values[-72:] = np.nan
    assert ((steps_of(values)[0][:, 1] > 0) == (AHEAD % 24 == 2)).all()
    values = moved(HOUR == 2, 6, 1)
    values[-60:-30] = np.nan
    values[100:130] = np.nan
    assert ((steps_of(values)[0][:, 1] > 0) == (AHEAD % 24 == 3)).all()

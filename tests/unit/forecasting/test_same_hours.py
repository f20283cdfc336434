"""What is used in few hours, where the hour tells when: steps are what these hours were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasting.same_hours import at_the_same_hours, habit_of

FIRST = 490_000
DAYS = 42
CELLS = FIRST + np.arange(DAYS * 24)
HOUR, WEEKDAY = CELLS % 24, CELLS // 24 % 7


def used(at: np.ndarray, seed: int = 1) -> np.ndarray:
    return np.where(at, np.random.default_rng(seed).uniform(800, 1200, len(at)), 0.0)


def steps_of(values: np.ndarray, horizon: int = 168) -> tuple[np.ndarray, str]:
    (found,) = forecast_hours(Panel(["s"], "hour", FIRST, values[None, :]), horizon)
    assert found.label == "intermittent"
    return found.steps, found.method


def test_a_batch_at_night_is_expected_at_night() -> None:
    """And its sums are what they were."""
    steps, method = steps_of(used(HOUR == 2))
    at_two = (CELLS[-1] + 1 + np.arange(168)) % 24 == 2
    assert method == "the same hours"
    assert (steps[~at_two] == 0).all()
    low, middle, high = steps[at_two].T
    assert (low > 800).all()
    assert (low < 900).all()
    assert middle == pytest.approx(np.full(7, 1000), rel=0.1)
    assert (high > 1100).all()


def test_what_runs_on_workdays_rests_on_the_others() -> None:
    """The hour of the week tells more than that of the day."""
    steps, _ = steps_of(used((HOUR == 6) & (WEEKDAY < 5)))
    ahead = CELLS[-1] + 1 + np.arange(168)
    expected = (ahead % 24 == 6) & (ahead // 24 % 7 < 5)
    assert ((steps[:, 1] > 0) == expected).all()
    assert (steps[~expected] == 0).all()
    (found,) = forecast_hours(Panel(["s"], "hour", FIRST, used((HOUR == 6) & (WEEKDAY < 5))[None, :]), 168)
    rests = expected.cumsum()  # of as many hours from the same hour of the week on
    assert [one.quantile(0.5) for one in found.sums] == pytest.approx((1000 * rests).tolist(), rel=0.1)


@pytest.mark.parametrize("seed", range(10))
def test_what_comes_at_any_hour_is_left_to_its_sums(seed: int) -> None:
    """No habit is read out of chance, however few days are known."""
    random = np.random.default_rng(seed)
    for days in (3, 5, 30, 42):
        values = used(random.random(days * 24) < 0.08, seed)
        assert habit_of(values, FIRST) is None
    once = np.zeros(DAYS * 24)
    once[100] = 5.0
    assert habit_of(once, FIRST) is None


def test_a_habit_survives_what_nobody_knows_and_a_few_exceptions() -> None:
    values = used(HOUR == 2)
    values[200:400] = np.nan
    values[[31, 77, 500]] = 40.0
    assert habit_of(values, FIRST) == 24
    assert habit_of(np.full(DAYS * 24, np.nan), FIRST) is None


def test_sums_of_what_has_a_gap_in_each_are_those_of_the_same_hours() -> None:
    """Every other batch is not known: no three days in a row are. Half of the batches are no half of what they cost."""
    values = used((HOUR == 2) | (HOUR == 3))
    values[(HOUR == 2) & (CELLS // 24 % 2 == 1)] = np.nan
    (found,) = forecast_hours(Panel(["s"], "hour", FIRST, values[None, :]), 72)
    assert found.method == "the same hours"
    low, middle, high = (found.sums[-1].quantile(probability) for probability in (0.1, 0.5, 0.9))
    assert middle == pytest.approx(6000, rel=0.05)
    assert 5000 < low <= middle <= high < 7000


@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, 1e15, -3.0, float("nan")]), max_size=800), st.integers(0, 60))
def test_steps_and_sums_are_rising_and_within_what_there_was(values: list[float], steps: int) -> None:
    """Whatever was; sums of which too few were seen are left open."""
    for period in (24, 168):
        single, sums = at_the_same_hours(np.array(values), period, steps, 19)
        assert single.shape == sums.shape == (19, steps)
        assert (np.diff(single, axis=0) >= 0).all()
        assert ((single >= 0) & (single <= 1e15)).all()
        told = ~np.isnan(sums[0])
        assert (np.diff(sums[:, told], axis=0) >= 0).all()
        assert (sums[:, told] >= 0).all()

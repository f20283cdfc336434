"""What others would forecast: from the past alone, and the same at every run."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from stream_jobs.runtime.forked.model import Limits
from tests.benchmarks.forecasts.baselines import BASELINES, Asked, Step, forecast, forecasts, rolling

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("members")]
MONDAY = date(2024, 1, 1).toordinal()


def asked(baseline: str, values: np.ndarray, step: Step = "day", horizon: int = 10, first: int = MONDAY) -> Asked:
    return Asked(baseline, "s", values, first, step, horizon)


def middle(baseline: str, values: np.ndarray, step: Step = "day", horizon: int = 10) -> list[float]:
    return [float(value) for value in forecast(asked(baseline, values, step, horizon))[:, 1]]


def test_the_last_day_of_hours_and_the_last_week_of_days_again() -> None:
    """Seasonal naive is the last day of hours; of days it is the last week."""
    hours = np.arange(200.0)
    assert middle("seasonal naive", hours, "hour", 26) == [*range(176, 200), 176, 177]
    assert middle("last week", hours, "hour", 2) == [32, 33]
    assert middle("seasonal naive", hours, "day", 8) == middle("last week", hours, "day", 8) == [*range(193, 200), 193]


def test_the_run_rate_is_the_mean_of_the_month_so_far() -> None:
    """On the first of a month, of the month before."""
    values = np.concatenate([np.full(31, 1.0), np.full(10, 5.0)])  # January, ten days of February
    assert middle("run-rate", values, horizon=2) == [5.0, 5.0]
    assert middle("run-rate", values[:31], horizon=1) == [1.0]
    assert middle("run-rate", values[:33], horizon=1) == [5.0]


def test_automatic_ets_takes_a_season_where_there_is_one() -> None:
    """And a straight level where there is none; what never moves is repeated."""
    season = np.array([10.0, 12, 14, 16, 14, 6, 5])
    noise = np.random.default_rng(1).normal(size=84)
    assert middle("ETS", np.tile(season, 12) + 0.2 * noise, horizon=7) == pytest.approx(season, rel=0.2)
    assert np.ptp(middle("ETS", 50 + noise, horizon=7)) < 3
    assert middle("ETS", np.full(30, 4.0), horizon=2) == [4.0, 4.0]


def test_prophet_gives_its_own_band_the_same_each_time() -> None:
    """Drawn with a seed; with its defaults it may be below 0."""
    values = np.maximum(100 - 2.0 * np.arange(60), 0) + np.random.default_rng(1).normal(size=60)
    found = forecast(asked("Prophet", values, horizon=30))
    assert (np.diff(found, axis=1) > 0).all()
    assert found.min() < 0
    assert (found == forecast(asked("Prophet", values, horizon=30))).all()


@pytest.mark.parametrize("baseline", list(BASELINES))
def test_gaps_are_bridged(baseline: str) -> None:
    """By a straight line: these methods know no gaps."""
    values = 10.0 + np.arange(60) % 7
    values[[20, 21, 59]] = np.nan
    assert np.isfinite(middle(baseline, values)).all()


def test_answers_are_kept_and_depend_on_nothing_behind_the_origin(tmp_path: Path) -> None:
    """Two series alike until the origin have the same answer; another horizon is another question."""
    one, two = np.arange(60.0), np.arange(60.0)
    two[40:] = 7.0
    todo = list(rolling({"one": one, "two": two}, MONDAY, "day", [40], 3, ["last week", "ETS"]))
    limits = Limits(workers=1, task_s=60)
    fresh = list(forecasts(todo, tmp_path, limits))
    assert len(fresh) == 4
    assert len(list(tmp_path.iterdir())) == 2
    again = list(forecasts(todo, tmp_path, limits))
    for (a, mine), (b, theirs) in zip(sorted(fresh, key=_order), sorted(again, key=_order), strict=True):
        assert (a.series, a.baseline) == (b.series, b.baseline)
        assert mine[:, 1].tolist() == theirs[:, 1].tolist()
    assert todo[0].key() == todo[2].key()
    assert todo[0].key() != asked("last week", one[:40], horizon=4).key()


def _order(answer: tuple[Asked, np.ndarray]) -> tuple[str, str]:
    return answer[0].series, answer[0].baseline


def test_what_takes_too_long_has_no_figure_and_is_not_kept(tmp_path: Path) -> None:
    """The bench says so rather than waiting."""
    [(_, found)] = forecasts([asked("Prophet", np.arange(400.0) ** 2 % 97)], tmp_path, Limits(task_s=0.001))
    assert np.isnan(found).all()
    assert list(tmp_path.iterdir()) == []

"""Which series get slow members in a run, and which keep those that they have."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from stream_jobs.forecasting import day_outlook
from stream_jobs.forecasting.daily import Days
from stream_jobs.forecasting.members.model import Answer
from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.model import Key
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.forecasts.slow_fits import Tasks
from stream_jobs.forecasts.slow_members import Kept, SlowMembers
from stream_jobs.runtime.forked.model import Done
from tests.unit.forecasting.days import FIRST, noisy
from tests.unit.forecasts.build import TOTAL, team

BUDGET = Key("b", (), (), "effective_cost")
ALL = {"prophet", "ets", "theta", "stl"}
HORIZON = 20


@pytest.fixture(autouse=True)
def _few_looks_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bands are made of is nothing to these tests."""
    monkeypatch.setattr(day_outlook, "LOOKS", 4)


@dataclass
class LastWeeks:
    """Fits that repeat the last week, but for those that fail, and those that there is no time for."""

    failing: str = ""
    late: str = ""
    asked: list[str] = field(default_factory=list)

    def __call__(self, tasks: Tasks, seconds: float) -> Iterator[Done[Answer]]:
        assert seconds > 0
        for name, task in tasks:
            self.asked.append(name)
            if name == self.late:
                yield Done(name, None, "the run's deadline has passed", 0.0, cut_short=True)
            elif name == self.failing:
                yield Done(name, None, "it took longer than 10 s and was killed", 10.0)
            else:
                yield Done(name, Answer(np.resize(np.nan_to_num(task.values[-7:]), task.horizon)), "", 0.1)

    def series(self) -> list[str]:
        """In the order in which they were asked about."""
        return list(dict.fromkeys(name.partition(" by ")[0] for name in self.asked))


@dataclass
class World:
    """Days pass."""

    values: np.ndarray
    keys: list[Key]
    settings: ForecastsSettings = field(default_factory=ForecastsSettings)
    kept: Kept = field(default_factory=dict)
    fits: LastWeeks = field(default_factory=LastWeeks)

    def run(self, days: int, known: Beforehand | None = None, horizon: int = HORIZON) -> dict[int, set[str]]:
        """With so many days known: which series have which members."""
        self.fits.asked.clear()
        panel = Panel([key.name for key in self.keys], "day", FIRST, self.values[:, :days])
        made = Days(panel, horizon, (panel.origin,), declared=None if known is None else known.declared())
        slow = SlowMembers(self.settings, self.kept, self.fits)
        said = slow.of(self.keys, made, known, frozenset())
        forecasts = made.forecast(panel.origin, said)
        self.why = [forecast.why for forecast in forecasts]
        self.members = [set(forecast.members) & ALL for forecast in forecasts]
        return {place: set(one.paths) for place, one in said.items()}


def test_a_series_is_fitted_once_a_week() -> None:
    """And has all members on every day of it."""
    world = World(noisy(220)[None], [TOTAL])
    asked = {}
    for days in (200, 201, 207, 208, 209):
        assert world.run(days) == {0: ALL}
        assert world.members == [ALL]
        asked[days] = len(world.fits.asked)
    assert asked == {200: 4, 201: 0, 207: 0, 208: 4, 209: 0}


def test_it_is_fitted_again_once_its_level_moved_or_what_is_known_beforehand_did() -> None:
    """A plan for days that it learned from is taken out of them."""
    values = noisy(220, noise=0.03)[None].copy()
    values[:, 202:] *= 3
    world = World(values, [TOTAL])
    assert [bool(world.run(days) and world.fits.asked) for days in (200, 204, 206, 207)] == [True, False, True, False]
    factors = np.ones((1, 230))
    factors[:, 195] = 2.0
    planned = Beforehand("day", FIRST, 207, factors, np.zeros_like(factors), [""])
    assert [bool(world.run(207, planned) and world.fits.asked) for _ in range(2)] == [True, False]
    world.run(207, planned, HORIZON + 8)
    assert world.fits.asked, "a budget's period ends later now"


def test_a_young_series_has_none() -> None:
    """From 24 weeks on."""
    world = World(noisy(168)[None], [TOTAL])
    assert world.run(167) == {}
    assert not world.fits.asked
    assert world.run(168) == {0: ALL}


def test_those_that_matter_come_first_and_the_others_in_the_next_runs() -> None:
    """The total, budgets, then who costs most of late; so many in one run."""
    rows = [noisy(200, seed=seed, usual=usual) for seed, usual in enumerate((10.0, 50.0, 20.0, 90.0))]
    keys = [team("small"), team("large"), BUDGET, TOTAL]
    world = World(np.array(rows), keys, ForecastsSettings(slow_series=2))
    assert world.run(200) == {2: ALL, 3: ALL}
    assert world.fits.series() == ["total", "budget=b"]
    assert world.run(200) == dict.fromkeys(range(4), ALL)
    assert world.fits.series() == ["team=large", "team=small"]
    none = World(np.array(rows), keys, ForecastsSettings(slow_series=0))
    assert none.run(200) == {}
    assert not none.fits.asked


def test_a_member_that_failed_is_said_and_tried_again_with_the_others() -> None:
    """A week later."""
    world = World(noisy(210)[None], [TOTAL])
    world.fits.failing = "total by stl"
    for days in (200, 201):
        assert world.run(days) == {0: ALL - {"stl"}}
        assert world.why == ["without stl: it took longer than 10 s and was killed"]
    assert not world.fits.asked
    world.fits.failing = ""
    assert world.run(208) == {0: ALL}
    assert world.why == [""]


def test_what_there_was_no_time_for_is_tried_in_the_next_run() -> None:
    """The run goes on with the others."""
    world = World(noisy(200)[None], [TOTAL])
    world.fits.late = "total by prophet"
    assert world.run(200) == {0: ALL - {"prophet"}}
    assert world.why == ["without prophet: the run's deadline has passed"]
    world.fits.late = ""
    assert world.run(200) == {0: ALL}


def test_a_run_that_has_no_time_left_fits_nothing_more() -> None:
    """Of the next panel: half of what a run may take is the most."""
    world = World(noisy(200)[None], [TOTAL], ForecastsSettings().model_copy(update={"slow_run_s": 1e-9}))
    panel = Panel([TOTAL.name], "day", FIRST, world.values)
    days = Days(panel, HORIZON, (panel.origin,))
    slow = SlowMembers(world.settings, world.kept, world.fits)
    slow.of(world.keys, days, None, frozenset())
    world.kept.clear()
    world.fits.asked.clear()
    assert slow.of(world.keys, days, None, frozenset()) == {}
    assert not world.fits.asked


def test_series_whose_names_look_the_same_are_fitted_each() -> None:
    """Values come from outside."""
    dims = "team", "project"
    keys = [Key("b", dims, vals, "effective_cost") for vals in (("x project=y", "z"), ("x", "y project=z"))]
    world = World(np.array([noisy(200), 5 * noisy(200)]), keys)
    world.run(200)
    first, second = (world.kept[key.name].said.paths["ets"] for key in keys)
    assert second == pytest.approx(5 * first)


def test_what_is_no_more_is_forgotten() -> None:
    """A series that is gone takes no memory."""
    world = World(noisy(220)[None], [TOTAL])
    world.run(200)
    world.keys = [team("another")]
    world.run(209)
    assert list(world.kept) == [team("another").name]

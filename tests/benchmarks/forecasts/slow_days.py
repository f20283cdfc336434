"""Section: what slow members are worth on days of simulated budgets: the job's forecast with them and without.

Fitted at an origin, and asked there and six days later, as what was fitted is kept for a week.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.daily import Days
from stream_jobs.forecasting.day_slow import SlowPaths, has_moved, tasks
from stream_jobs.forecasting.members.fits import fit
from stream_jobs.forecasting.members.loading import load
from stream_jobs.forecasting.members.model import MemberName
from stream_jobs.forecasting.model import Panel
from stream_jobs.runtime.forked.model import Limits
from stream_jobs.runtime.forked.pool import Pool
from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.forecasts.scoring import covered, geometric
from tests.benchmarks.forecasts.simulators import SIMULATORS, Spend
from tests.benchmarks.harness.results import NOT_JUDGED, Figure
from tests.benchmarks.harness.tables import Table

Floats = npt.NDArray[np.float64]
BUDGETS, DAYS = 24, 760
ORIGINS: Final = (180, 330, 480, 690)
HORIZON: Final = 60
LATER: Final = (0, 6)  # days after the fit
WORKERS: Final = 2


@dataclass(slots=True)
class _Found:
    """Of every series and origin."""

    ratios: list[float] = field(default_factory=list)  # the error of days with them, over that without
    came: list[Floats] = field(default_factory=list)
    bands: list[Floats] = field(default_factory=list)  # (HORIZON, 3), with them
    without: list[Floats] = field(default_factory=list)


def sections(options: Options) -> Iterator[Table]:
    budgets, origins = (3, ORIGINS[:1]) if options.quick else (BUDGETS, ORIGINS)
    with Pool(load, Limits(workers=WORKERS, task_s=60)) as pool:
        for name, generate in SIMULATORS.items():
            progress(f"{name}: {budgets} budgets, {len(origins)} origins")
            found = _measured(pool, generate(options.seed, budgets, DAYS), origins)
            yield _table(name, found, judged=not options.quick)


def _table(name: str, found: Mapping[int, _Found], *, judged: bool) -> Table:
    rows, figures = [], []
    floor, goal = (0.0, -2.0) if judged else NOT_JUDGED
    for later, one in found.items():
        error = 100 * (geometric(np.array(one.ratios)) - 1)
        held, before = (covered(np.array(bands), np.array(one.came))[0] for bands in (one.bands, one.without))
        what = f"{later} days after the fit"
        rows.append((what, f"{error:+.1f} %", f"{100 * held:.1f} %", f"{100 * before:.1f} %", str(len(one.ratios))))
        figures.append(Figure(f"{name}: days, {what}", "%", [error], floor=floor, goal=goal, lower_is_better=True))
    head = ("", "error against without", "within P10 to P90", "without them", "series")
    return Table(
        f"Prophet, ETS, Theta and STL in daily forecasts: {name}", head, rows, f"{HORIZON} days ahead.", figures
    )


def _measured(pool: Pool, spend: Spend, origins: tuple[int, ...]) -> dict[int, _Found]:
    panel = Panel([str(number) for number in range(len(spend.values))], "day", spend.first, spend.values)
    days = Days(panel, HORIZON, {spend.first + origin + later for origin in origins for later in LATER})
    found = {later: _Found() for later in LATER}
    for origin in (spend.first + origin for origin in origins):
        said = _fitted(pool, days, origin)
        for later, into in found.items():
            today = origin + later
            seen = days.seen(today)
            assert seen is not None
            kept = {series: one for series, one in said.items() if not has_moved(seen[1], series, origin)}
            without, others = days.forecast(today), days.forecast(today, kept)
            for series in kept:
                came = spend.values[series, today - spend.first :][:HORIZON]
                one, other = without[series].steps, others[series].steps
                missed = [max(float(np.abs(steps[:, 1] - came).mean()), 1e-9) for steps in (other, one)]
                into.ratios.append(missed[0] / missed[1])
                into.came.append(came)
                into.bands.append(other)
                into.without.append(one)
    return found


def _fitted(pool: Pool, days: Days, origin: int) -> dict[int, SlowPaths]:
    seen = days.seen(origin)
    assert seen is not None
    found: dict[int, dict[MemberName, Floats]] = {}
    whose = {}
    todo = []
    for series in range(len(days.panel.names)):
        for member, task in tasks(*seen, series, HORIZON + max(LATER), frozenset(), ""):
            name = f"{series} by {member}"
            whose[name] = series, member
            todo.append((name, task))
    for done in pool.run(fit, todo):
        series, member = whose[done.name]
        if done.result is not None and not done.result.refused:
            found.setdefault(series, {})[member] = done.result.values
    return {series: SlowPaths(origin, paths) for series, paths in found.items()}

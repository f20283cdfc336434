"""Section: what it takes to forecast three hundred series by the hour and by the day, and to fit Prophet and ETS to all
of them; the memory of all processes together (PSS: what they share counts once)."""

import os
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasting.members.fits import fit
from stream_jobs.forecasting.members.loading import load
from stream_jobs.forecasting.members.model import Task
from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasts.rests import Rests
from stream_jobs.runtime.forked.model import Limits
from stream_jobs.runtime.forked.pool import Pool
from stream_jobs.runtime.processes import proportional_bytes
from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.forecasts.simulators import FIRST, walk
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure
from tests.benchmarks.harness.tables import Table

Floats = npt.NDArray[np.float64]
SERIES: Final = 300
HOURS: Final = 42 * 24
DAYS: Final = 400
HORIZONS: Final = {"hour": 72, "day": 90}
WORKERS: Final = 2
LOOK_EVERY: Final = 20  # fits
MIB: Final = 2**20


def sections(options: Options) -> list[Table]:
    count = 6 if options.quick else SERIES
    hours, days = panels(options.seed, count)
    progress(f"{count} series")
    begun = time.monotonic()
    rests = Rests()  # as the job takes them
    forecast_hours(hours, HORIZONS["hour"], rests)
    hourly_s = time.monotonic() - begun
    forecast_days(days, HORIZONS["day"], told=rests)
    cheap_s = time.monotonic() - begun
    progress("slow members")
    most, failed = _fitted(days.names, days.values)
    took_s = time.monotonic() - begun

    def figure(what: str, unit: str, value: float, bounds: Bounds) -> Figure:
        floor, goal = NOT_JUDGED if options.quick else bounds
        return Figure(f"{count} series: {what}", unit, [value], floor=floor, goal=goal, lower_is_better=True)

    figures = [
        figure("hours and days, with Prophet and ETS fitted to all", "s", took_s, (120, 60)),
        figure("of that without the fits, five sixths of it rests", "s", cheap_s, (None, None)),
        figure("memory of all processes", "MiB", most / MIB, (600, 450)),
    ]
    note = (
        f"Hours: {HOURS} of history, {HORIZONS['hour']} ahead, {hourly_s:.1f} s. Days: {DAYS}, {HORIZONS['day']} "
        f"ahead, {cheap_s - hourly_s:.1f} s. {2 * count} fits by {WORKERS} workers, loading included, "
        f"{took_s - cheap_s:.1f} s; {failed} failed."
    )
    return [Table("Time and memory", (), note=note, figures=figures)]


def panels(seed: int, count: int = SERIES) -> tuple[Panel, Panel]:
    """Of hours, and of days."""
    names = [str(number) for number in range(count)]
    days = walk(seed, count, DAYS).values
    return Panel(names, "hour", FIRST.toordinal(), _hours(seed, count)), Panel(names, "day", FIRST.toordinal(), days)


def _fitted(names: Sequence[str], days: Floats) -> tuple[int, int]:
    """The most memory at once, and how many fits failed."""
    tasks = [
        (f"{name} by {member}", Task(member, row, FIRST.toordinal(), "day", HORIZONS["day"]))
        for name, row in zip(names, days, strict=True)
        for member in ("prophet", "ets")
    ]
    most = failed = 0
    with Pool(load, Limits(workers=WORKERS, task_s=60)) as pool:
        for number, done in enumerate(pool.run(fit, tasks)):
            failed += bool(done.failed)
            if number % LOOK_EVERY == 0:
                most = max(most, sum(map(proportional_bytes, (os.getpid(), *pool.pids()))))
    return most, failed


def _hours(seed: int, series: int) -> Floats:
    """A course of the day, quiet weekends, and noise that lasts."""
    rng = np.random.default_rng([seed, 5])
    hours = np.arange(HOURS)
    rows = []
    for _ in range(series):
        course = 1 + 0.6 * np.sin(2 * np.pi * (hours - rng.integers(24)) / 24)
        week = np.where(hours // 24 % 7 >= 5, 0.4, 1.0)
        noise = np.convolve(rng.normal(0, 0.1, HOURS + 10), np.ones(11) / 3.3, "valid")
        rows.append(rng.poisson(np.exp(rng.normal(5, 2)) * course * week * np.exp(noise)))
    return np.array(rows, np.float64)

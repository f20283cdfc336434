"""Section: 2,000 events a second through an embedded pipeline, in turns by themselves and beside a full re-forecast.

The re-forecast is what a run of the job computes of three hundred series, by the hour and by the day, in a process as
nice as the job's thread and with its rests, again and again for as long as the events come: a job does it once an hour.
What it reads and writes is not in it.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from stream_jobs.forecasting.daily import forecast_days
from stream_jobs.forecasting.hourly import forecast_hours
from stream_jobs.forecasts.rests import Rests
from stream_jobs.forecasts.running import NICE
from tests.benchmarks import bench_alert, bench_latency
from tests.benchmarks.forecasts.cost import HORIZONS, panels
from tests.benchmarks.forecasts.options import Options, progress
from tests.benchmarks.harness.results import NOT_JUDGED, Figure, Report
from tests.benchmarks.harness.tables import Table

ROUNDS: Final = 5
"""The p99 of one turn is up to four times that of the next, on a machine of two cores: two rounds said nothing."""
SECONDS: Final = 20.0
RATE: Final = 2_000
QUICK: Final = (1, 3.0, 200)  # rounds, seconds, events a second
MOST: Final = 1.3


def sections(options: Options) -> list[Table]:
    rounds, seconds, rate = QUICK if options.quick else (ROUNDS, SECONDS, RATE)
    report = Report("forecast")
    p99: dict[str, list[float]] = {"visible": [], "an alert": []}
    for number in range(2 * rounds):
        progress("beside a re-forecast" if number % 2 else "by itself")
        with _reforecasting(options.seed) if number % 2 else contextlib.nullcontext():
            seen = bench_latency.run(report, rate, seconds, bench_alert.WARM_UP_S)
            told, _ = bench_alert.run(report, rate, seconds, bench_alert.WARM_UP_S)
        for what, times in (("visible", seen), ("an alert", told)):
            p99[what].append(bench_latency.quantile(times, 0.99))
    figures = []
    for what, values in p99.items():
        ratios = [beside / alone for alone, beside in zip(values[::2], values[1::2], strict=True)]
        floor, goal = NOT_JUDGED if options.quick else (MOST, None)
        title = f"p99 to {what}, beside a re-forecast as a share of by itself"
        figures.append(Figure(title, "x", ratios, floor=floor, goal=goal, lower_is_better=True))
    said = "; ".join(f"{what}: {', '.join(f'{value:.2f}' for value in values)} s" for what, values in p99.items())
    return [Table("Beside a full re-forecast", (), note=f"p99 in turns, by itself first. {said}.", figures=figures)]


@contextlib.contextmanager
def _reforecasting(seed: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(seed)], env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    )
    try:
        yield
        assert process.poll() is None, "it has ended by itself"
    finally:
        process.kill()
        process.wait()


def _again_and_again(seed: int) -> None:
    os.nice(NICE)
    hours, days = panels(seed)
    rests = Rests()
    while True:
        forecast_hours(hours, HORIZONS["hour"], rests)
        forecast_days(days, HORIZONS["day"], told=rests)


if __name__ == "__main__":
    _again_and_again(int(sys.argv[1]))

"""What `spendstream forecast --file` answers: for every series and origin its next steps, or why there are none."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.forecasting.daily import Days
from stream_jobs.forecasting.hourly import Hours
from stream_jobs.forecasting.model import QUANTILES, Forecast, Step, Told, refusal
from stream_jobs.forecasting.scan.cells import Cells, Origins
from stream_jobs.timed_csv.instants import of_micros
from stream_jobs.timed_csv.reading import read

"""Is told how much is done, of how much."""
STEPS: Final[dict[str, Step]] = {"1h": "hour", "1d": "day"}
MOST_STEPS: Final = {"hour": 31 * 24, "day": 400}
NAMES: Final = ("p10", "p50", "p90")
RARE: Final = ("intermittent", "dead")
_HORIZON: Final = re.compile(r"([0-9]{1,5})([hd])")


@dataclass(frozen=True, slots=True)
class Answer:
    forecasts: list[dict[str, Any]]
    notes: list[str]  # what people should know of how the file was read


def steps_of(horizon: str, step: Step) -> int:
    """72h or 90d as a number of steps. Raises ConfigError."""
    written = _HORIZON.fullmatch(horizon)
    if not written:
        raise ConfigError(f"--horizon {horizon[:40]!r} is no length: write hours or days, such as 72h or 90d")
    hours = int(written[1]) * (24 if written[2] == "d" else 1)
    length = 24 if step == "day" else 1
    if hours % length:
        raise ConfigError(f"--horizon {horizon} is no whole number of days, which --step 1d asks for")
    if hours // length > MOST_STEPS[step]:
        raise ConfigError(f"--horizon {horizon} is beyond {MOST_STEPS[step]} {step}s, the most with --step 1{step[0]}")
    return hours // length


def forecast_file(
    path: Path,
    horizon: str,
    step: str,
    origins: Sequence[int] = (),
    reading: Told = lambda _done, _of: None,
    forecasting: Told = lambda _done, _of: None,
) -> Answer:
    """`origins` in microseconds since 1970; without any, the end of the file. Raises ConfigError that says what to
    do."""
    kind = STEPS[step]
    steps = steps_of(horizon, kind)
    rows = read(path, "gauge", reading)
    cells = Cells(rows, kind)
    panels = cells.panels(origins or [cells.end()])
    count = sum(len(one.columns) for one in panels)
    found: list[dict[str, Any]] = []
    for done, (instant, start, forecasts) in enumerate(_made(panels, steps)):
        found += [told_of(one, instant, start, cells.length) for one in forecasts]
        forecasting(done + 1, count)
    found.sort(key=lambda one: (one["origin"], one["series"]))
    notes = [f"ignored: {', '.join(rows.columns.ignored)[:500]}"] if rows.columns.ignored else []
    if cells.twice:
        notes.append(f"{cells.twice:,} rows are of an instant that their series has already: they add up")
    return Answer(found, notes)


def _made(panels: list[Origins], steps: int) -> Iterator[tuple[int, int, list[Forecast]]]:
    for one in panels:
        origins = [one.panel.first + column for column in one.columns.values()]
        model = Hours(one.panel, steps) if one.panel.step == "hour" else Days(one.panel, steps, origins)
        for instant, column in one.columns.items():
            made = model.forecast(one.panel.first + column)
            yield instant, one.starts[instant], [_said(forecast, one.unread) for forecast in made]


def _said(forecast: Forecast, unread: Mapping[str, str]) -> Forecast:
    return refusal(forecast.name, unread[forecast.name]) if forecast.name in unread else forecast


def told_of(forecast: Forecast, origin: int, start: int, length: int) -> dict[str, Any]:
    """One forecast, for machines. `origin`, `start` (of the first step) and `length` in microseconds. Figures are
    statistics, and no money that is owed: numbers, not decimal strings."""
    said: dict[str, Any] = {"series": forecast.name, "origin": of_micros(origin)}
    if forecast.refused:
        return said | {"refused": forecast.why}
    return said | {
        "steps": [
            {"time": of_micros(start + place * length)} | _named(row)
            for place, row in enumerate(forecast.steps.tolist())
        ],
        "sum": _named(_sum_of(forecast)),
        "method": forecast.method,
        "members": list(forecast.members),
        "label": forecast.label,
        "why": forecast.why,
    }


def _sum_of(forecast: Forecast) -> Sequence[float]:
    """Of one step the step. Of more no wider than if all of them missed together, which is the most that can be; steps
    that are mostly 0 say nothing of their sum."""
    if len(forecast.steps) < 2:
        return forecast.steps[0].tolist() if len(forecast.steps) else (0.0,) * len(QUANTILES)
    added = forecast.sums[-1].quantiles(QUANTILES)
    if forecast.label in RARE:
        return added
    low, _, high = forecast.steps.sum(axis=0).tolist()
    return [min(max(one, low), high) for one in added]


def _named(quantiles: Sequence[float]) -> dict[str, float]:
    return {name: float(f"{value:.9g}") for name, value in zip(NAMES, quantiles, strict=True)}

"""Figures with floors and goals; how a benchmark reports them.

A benchmark prints its figures for people. If the environment names a file in RESULT_FILE it writes the same there as
JSON, which is how the runner collects them.
"""

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

RESULT_FILE: Final = "BENCH_RESULT_FILE"


Bounds = tuple[float | None, float | None]
"""Floor and goal."""
NOT_JUDGED: Final[Bounds] = (None, None)


class WrongResultError(Exception):
    """What was computed is wrong, so how fast it was does not matter."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity over several runs. `floor` and `goal` are bounds on its median where something is promised.

    `lower_is_better` for times and memory: then the floor is the most it may be. `interval`, of an estimate from a
    sample, is its 95 % confidence interval: a floor is met when the interval reaches it.
    """

    name: str
    unit: str
    values: Sequence[float]
    floor: float | None = None
    goal: float | None = None
    lower_is_better: bool = False
    note: str = ""
    interval: tuple[float, float] | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def meets_floor(self) -> bool:
        if self.floor is None:
            return True
        low, high = self.interval or (self.median, self.median)
        return low <= self.floor if self.lower_is_better else high >= self.floor

    @property
    def of_goal(self) -> float | None:
        """1 is the goal reached; more is better, whichever way the figure counts."""
        if self.goal is None or not self.median:
            return None
        return self.goal / self.median if self.lower_is_better else self.median / self.goal

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "floor": self.floor,
            "goal": self.goal,
            "of_goal": None if self.of_goal is None else round(self.of_goal, 3),
            "meets_floor": self.meets_floor,
            "note": self.note,
            "interval": self.interval,
        }


@dataclass(slots=True)
class Report:
    """What one benchmark found. `checks` are equalities that held: expected and found. `details` are JSON values."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    checks: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def check(self, name: str, expected: Any, found: Any) -> None:
        """Raises WrongResultError when they differ."""
        if expected != found:
            raise WrongResultError(f"{self.name}: {name}: expected {expected}, found {found}")
        self.checks[name] = (expected, found)

    def finish(self) -> int:
        """Print, publish, and return the exit code: 1 when a floor is missed."""
        for line in table(self.figures):
            print(line)
        for name, (expected, _) in self.checks.items():
            print(f"checked: {name}: {expected}")
        if path := os.environ.get(RESULT_FILE):
            document = {
                "name": self.name,
                "figures": [figure.as_json() for figure in self.figures],
                "checks": {name: [str(value) for value in pair] for name, pair in self.checks.items()},
                "details": self.details,
            }
            Path(path).write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
        return int(not all(figure.meets_floor for figure in self.figures))


HEADINGS: Final = ("figure", "median", "lowest to highest", "floor", "goal", "of goal")


def cells(figure: dict[str, Any]) -> tuple[str, ...]:
    """A figure's JSON form as the cells under HEADINGS."""
    values, unit = figure["values"], figure["unit"]
    return (
        figure["name"],
        f"{number(figure['median'])} {unit}",
        _spread(values, figure.get("interval")),
        "" if figure["floor"] is None else number(figure["floor"]) + ("" if figure["meets_floor"] else " MISSED"),
        "" if figure["goal"] is None else number(figure["goal"]),
        "" if figure["of_goal"] is None else f"{figure['of_goal']:.2f}",
    )


def _spread(values: Sequence[float], interval: Sequence[float] | None) -> str:
    if interval is not None:
        return f"95 % within {number(interval[0])} to {number(interval[1])}"
    return f"{number(min(values))} to {number(max(values))} ({len(values)})" if len(values) > 1 else "1 run"


def table(figures: Sequence[Figure]) -> list[str]:
    """Lines for a terminal."""
    rows = [HEADINGS, *(cells(figure.as_json()) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def number(value: float) -> str:
    """Three digits are what a benchmark can tell."""
    if abs(value) >= 1000:
        return f"{round(value, 2 - len(str(int(abs(value)))) + 1):,.0f}"
    return f"{value:.3g}"

"""The pinned generator: requests and their costs by minute, with season, noise and incidents whose truth is known.

A spec is a text, `rate=100,shape=spike10,noise=hourly:0.35+day:0.15,series=20`, with these names:

- `rate`: requests a minute of a series, the mean of a workday (default 100)
- `series`: how many, each with random numbers of its own (1)
- `weeks`: of history before anything may happen (6)
- `days`: after the history; an incident begins at random within the first seven (14)
- `shape`: one of SHAPES (none)
- `noise`: of the level, joined with "+": `hourly:S` lognormal with standard deviation S, redrawn every hour; `minute:S`
  the same every minute; `day:S` every day; `ar:S` hourly, autocorrelated by 0.8; `growth:G` a week (0.1 is 10 %)
- `sigma`: of the lognormal cost of a request (1.2)
- `cost`: its mean in USD (0.01)

All level noise has mean 1. Requests are Poisson; each request's cost is drawn by itself, so that sums and sums of
squares are exact. The same spec and seed give the same traffic, bit by bit, with one version of numpy.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
HOUR: Final = 60
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
FIRST_MINUTE: Final = 29_449_440  # Monday 2025-12-29T00:00Z
WEEKEND: Final = 0.35
PERSISTENCE: Final = 0.8  # of `ar`, from hour to hour
STARTS_WITHIN: Final = WEEK


@dataclass(frozen=True, slots=True)
class Shape:
    """What happens to the level: times `factor` for `minutes`, or growing by `growth` a day."""

    factor: float
    minutes: int
    growth: float = 0.0
    night: bool = False  # begins between 0 and 2 o'clock
    single: bool = False  # not the level: one request that costs `factor` times the series' cost of a day


SHAPES: Final = {
    "none": Shape(1.0, 0),
    "spike10": Shape(10.0, HOUR),
    "night20": Shape(20.0, 4 * HOUR, night=True),
    "zero": Shape(0.0, DAY),
    "quad_day": Shape(4.0, DAY),
    "double3": Shape(2.0, 3 * DAY),
    "ramp5": Shape(1.0, 14 * DAY, growth=0.05),
    "half3": Shape(0.5, 3 * DAY),
    "forever2": Shape(2.0, 10**9),
    "dear": Shape(1.0, 1, single=True),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """See the module."""

    rate: float = 100.0
    series: int = 1
    weeks: int = 6
    days: int = 14
    shape: str = "none"
    noise: tuple[tuple[str, float], ...] = (("hourly", 0.35),)
    sigma: float = 1.2
    cost: float = 0.01

    @property
    def minutes(self) -> int:
        return self.weeks * WEEK + self.days * DAY

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Raises ValueError for what is no spec."""
        given: dict[str, object] = {}
        kinds = {"rate": float, "series": int, "weeks": int, "days": int, "sigma": float, "cost": float}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name == "noise":
                given[name] = tuple(_noise(one) for one in value.split("+") if one and one != "none")
            elif name == "shape" and value in SHAPES:
                given[name] = value
            elif name in kinds:
                given[name] = kinds[name](value)
            else:
                raise ValueError(f"{part!r}: known are {', '.join(kinds)}, noise and shape ({', '.join(SHAPES)})")
        return cls(**given)  # type: ignore[arg-type]


def _noise(text: str) -> tuple[str, float]:
    kind, _, size = text.partition(":")
    if kind not in ("hourly", "minute", "day", "ar", "growth"):
        raise ValueError(f"{text!r}: known are hourly, minute, day, ar, growth, each with its size")
    return kind, float(size)


@dataclass(frozen=True, slots=True)
class Incident:
    """The truth. Instants are minutes since 1970-01-01T00:00Z."""

    series: int
    start: int
    end: int
    shape: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Arrays of [series, minutes]."""

    spec: Spec
    first: int  # minutes since 1970
    events: npt.NDArray[np.int32]
    cost: Floats  # USD
    squares: Floats  # USD²
    incidents: list[Incident] = field(default_factory=list)

    @property
    def history_ends(self) -> int:
        return self.first + self.spec.weeks * WEEK


def generate(spec: Spec, seed: int) -> Traffic:
    """Each series has random numbers of its own: the first ten of a hundred are those of a run of ten."""
    rows = [_series(spec, seed, number) for number in range(spec.series)]
    events = np.stack([row[0] for row in rows])
    cost, squares = np.stack([row[1] for row in rows]), np.stack([row[2] for row in rows])
    return Traffic(spec, FIRST_MINUTE, events, cost, squares, [row[3] for row in rows if row[3] is not None])


def season(minutes: npt.NDArray[np.int64]) -> Floats:
    """Of the time of week, mean 1 on workdays: low at 2, high at 14 o'clock; weekends at 35 %."""
    of_day = 1 + 0.7 * np.sin(2 * np.pi * (minutes % DAY / DAY - 8 / 24))
    weekday = (minutes // DAY - FIRST_MINUTE // DAY) % 7
    return np.asarray(of_day * np.where(weekday >= 5, WEEKEND, 1.0))


def _series(spec: Spec, seed: int, number: int) -> tuple[npt.NDArray[np.int32], Floats, Floats, Incident | None]:
    base, noise, truth = (np.random.default_rng([seed, number, stream]) for stream in range(3))
    minutes = FIRST_MINUTE + np.arange(spec.minutes, dtype=np.int64)
    level = spec.rate * season(minutes) * _level_noise(spec, minutes, noise)
    incident = _incident(spec, number, truth)
    shape = SHAPES[spec.shape]
    if incident is not None and not shape.single:
        inside = (minutes >= incident.start) & (minutes < incident.end)
        grown = (1 + shape.growth) ** ((minutes - incident.start) / DAY)
        level = np.where(inside, level * shape.factor * (grown if shape.growth else 1.0), level)
    events = base.poisson(level).astype(np.int32)
    cost, squares = _costs(spec, events, base)
    if incident is not None and shape.single:
        at = incident.start - FIRST_MINUTE
        dear = spec.rate * DAY * spec.cost
        events[at] += 1
        cost[at] += dear
        squares[at] += dear**2
    return events, cost, squares, incident


def _incident(spec: Spec, number: int, rng: np.random.Generator) -> Incident | None:
    shape = SHAPES[spec.shape]
    if not shape.minutes:
        return None
    start = FIRST_MINUTE + spec.weeks * WEEK + int(rng.integers(STARTS_WITHIN))
    if shape.night:
        start = start // DAY * DAY + int(rng.integers(2 * HOUR))
    return Incident(number, start, min(start + shape.minutes, FIRST_MINUTE + spec.minutes), spec.shape)


def _level_noise(spec: Spec, minutes: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    level = np.ones(len(minutes))
    hours, days = -(-len(minutes) // HOUR), -(-len(minutes) // DAY)
    for kind, size in spec.noise:
        if kind == "growth":
            level = level * (1 + size) ** ((minutes - minutes[0]) / WEEK)
            continue
        if kind == "minute":
            drawn, times = rng.standard_normal(len(minutes)), 1
        elif kind == "day":
            drawn, times = rng.standard_normal(days), DAY
        else:
            drawn, times = rng.standard_normal(hours), HOUR
        if kind == "ar":
            fresh = np.sqrt(1 - PERSISTENCE**2)
            for hour in range(1, hours):
                drawn[hour] = PERSISTENCE * drawn[hour - 1] + fresh * drawn[hour]
        level = level * np.repeat(np.exp(size * drawn - size**2 / 2), times)[: len(minutes)]
    return level


def _costs(spec: Spec, events: npt.NDArray[np.int32], rng: np.random.Generator) -> tuple[Floats, Floats]:
    cost, squares = np.zeros(len(events)), np.zeros(len(events))
    for begin in range(0, len(events), DAY):
        counts = events[begin : begin + DAY]
        single = np.exp(spec.sigma * rng.standard_normal(int(counts.sum())) - spec.sigma**2 / 2) * spec.cost
        firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        for totals, amounts in ((cost, single), (squares, single * single)):
            summed = np.concatenate([[0.0], np.cumsum(amounts)])
            totals[begin : begin + DAY] = summed[firsts + counts] - summed[firsts]
    return cost, squares

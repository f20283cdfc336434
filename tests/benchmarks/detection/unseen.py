"""Traffic without incidents of kinds that the detector was not built on: a module that nobody looks at who tunes it.

Each kind changes what the pinned generator does with level or cost; season, Poisson requests, and the mean of a workday
stay. All random numbers come from the seed, the kind and the series' number.
"""

import zlib
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE, HOUR, WEEK, Floats, Spec, Traffic, season

Minutes = npt.NDArray[np.int64]
Rng = np.random.Generator
Level = Callable[[Minutes, Rng], Floats]
Cost = Callable[[int, Rng], Floats]
"""Relative costs, mean 1, of so many requests."""


def lognormal(sigma: float, size: int, rng: Rng) -> Floats:
    return np.asarray(np.exp(sigma * rng.standard_normal(size) - sigma**2 / 2))


def hourly(minutes: Minutes, rng: Rng, sigma: float = 0.25) -> Floats:
    """The noise that the level has besides, in most kinds."""
    return np.repeat(lognormal(sigma, -(-len(minutes) // HOUR), rng), HOUR)[: len(minutes)]


def heavy_tails(minutes: Minutes, rng: Rng) -> Floats:
    """Hours differ by Student's t with three degrees of freedom: once in a while one does by a lot."""
    drawn = np.clip(0.2 * rng.standard_t(3, -(-len(minutes) // HOUR)), -2.5, 2.5)
    return np.repeat(np.exp(drawn), HOUR)[: len(minutes)]


def bursts(minutes: Minutes, rng: Rng) -> Floats:
    """Four times a day, on average, three-fold traffic for about ten minutes."""
    level = hourly(minutes, rng)
    for start in rng.integers(len(minutes), size=rng.poisson(4 * len(minutes) / DAY)):
        level[start : start + 1 + int(rng.exponential(10))] *= 3
    return level


def on_off(minutes: Minutes, rng: Rng) -> Floats:
    """On for about six hours, off for about three, at random."""
    level, at, on = np.zeros(len(minutes)), 0, True
    while at < len(minutes):
        length = 1 + int(rng.exponential((6 if on else 3) * HOUR))
        level[at : at + length] = 1.5 * on
        at, on = at + length, not on
    return level * hourly(minutes, rng, 0.15)


def cron_hourly(minutes: Minutes, rng: Rng) -> Floats:
    """Half of the traffic is a batch in the first four minutes of each hour."""
    batch = np.where(minutes % HOUR < 4, 7.5, 0.0)
    return np.asarray((0.5 + batch) * hourly(minutes, rng))


def cron_nightly(minutes: Minutes, rng: Rng) -> Floats:
    """A batch begins at about three o'clock, and takes about forty minutes at ten times what the hour has else."""
    level = hourly(minutes, rng)
    for begin in range(3 * HOUR, len(minutes), DAY):
        start = begin + int(rng.integers(-10, 11))
        level[start : start + int(40 * lognormal(0.2, 1, rng)[0])] *= 10
    return level


def weekly_job(minutes: Minutes, rng: Rng) -> Floats:
    """Every Sunday from four to six o'clock: fifteen times the usual."""
    of_week = (minutes - FIRST_MINUTE) % WEEK
    inside = (of_week >= 6 * DAY + 4 * HOUR) & (of_week < 6 * DAY + 6 * HOUR)
    return np.asarray(np.where(inside, 15.0, 1.0) * hourly(minutes, rng))


def office_hours(minutes: Minutes, rng: Rng) -> Floats:
    """A tool that nobody uses before seven, after eight in the evening, and at weekends."""
    of_day, weekday = minutes % DAY, (minutes - FIRST_MINUTE) // DAY % 7
    return np.asarray(((of_day >= 7 * HOUR) & (of_day < 20 * HOUR) & (weekday < 5)) * hourly(minutes, rng, 0.35))


def holidays(minutes: Minutes, rng: Rng) -> Floats:
    """On one weekday in fifteen traffic is that of a weekend."""
    free = rng.random(-(-len(minutes) // DAY)) < 1 / 15
    return np.where(np.repeat(free, DAY)[: len(minutes)], 0.35, 1.0) * hourly(minutes, rng)


def clock_change(minutes: Minutes, rng: Rng) -> Floats:
    """Daily life moves by an hour, once, after two thirds of the time."""
    shifted = season(minutes + HOUR) / season(minutes)
    late = np.arange(len(minutes)) > 2 * len(minutes) // 3
    return np.asarray(np.where(late, shifted, 1.0) * hourly(minutes, rng))


def slow_waves(minutes: Minutes, rng: Rng) -> Floats:
    """An autoregressive level whose memory is a day, sampled every ten minutes."""
    steps = -(-len(minutes) // 10)
    drawn, keep = rng.standard_normal(steps), float(np.exp(-10 / DAY))
    for step in range(1, steps):
        drawn[step] = keep * drawn[step - 1] + np.sqrt(1 - keep**2) * drawn[step]
    return np.repeat(np.exp(0.3 * drawn - 0.045), 10)[: len(minutes)]


def sessions(minutes: Minutes, rng: Rng) -> Floats:
    """Agents that work in bouts: the level of a minute is a gamma variable of shape 0.5, and of an hour one of 8."""
    hours = np.repeat(rng.gamma(8, 1 / 8, -(-len(minutes) // HOUR)), HOUR)[: len(minutes)]
    return np.asarray(hours * rng.gamma(0.5, 2, len(minutes)))


def shrinking(minutes: Minutes, rng: Rng) -> Floats:
    """Four per cent less every week."""
    return np.asarray(0.96 ** ((minutes - minutes[0]) / WEEK) * hourly(minutes, rng))


def uneven_noise(minutes: Minutes, rng: Rng) -> Floats:
    """Calm by day, 0.1; wild by night, 0.6."""
    night = minutes % DAY < 7 * HOUR
    return np.asarray(np.where(night, hourly(minutes, rng, 0.6), hourly(minutes, rng, 0.1)))


def two_prices(size: int, rng: Rng) -> Floats:
    """One request in fifty is a hundred times as dear as the others."""
    return lognormal(0.5, size, rng) * np.where(rng.random(size) < 0.02, 100.0, 1.0) / 2.98


def wide_costs(size: int, rng: Rng) -> Floats:
    return lognormal(1.8, size, rng)


def pareto_costs(size: int, rng: Rng) -> Floats:
    """A tail with exponent 2.2, which ends at 500 times the mean, as contexts do."""
    return np.minimum((1 + rng.pareto(2.2, size)) / (2.2 / 1.2), 500.0)


def even_costs(size: int, rng: Rng) -> Floats:
    return lognormal(0.1, size, rng)


def usual_costs(size: int, rng: Rng) -> Floats:
    return lognormal(1.2, size, rng)


def prompts_drift(minutes: Minutes, rng: Rng) -> Floats:
    """Of the cost of a request: an hour's prompts are alike, 0.3."""
    return hourly(minutes, rng, 0.3)


def price_steps(minutes: Minutes, rng: Rng) -> Floats:
    """Of the cost of a request: every other week it changes by about six per cent."""
    return np.repeat(np.exp(np.cumsum(0.06 * rng.standard_normal(-(-len(minutes) // (2 * WEEK))))), 2 * WEEK)[
        : len(minutes)
    ]


def plain(minutes: Minutes, rng: Rng) -> Floats:
    return np.ones(len(minutes))


KINDS: Final[dict[str, tuple[Level, Cost, Level]]] = {
    "heavy tails": (heavy_tails, usual_costs, plain),
    "bursts": (bursts, usual_costs, plain),
    "on and off": (on_off, usual_costs, plain),
    "a batch every hour": (cron_hourly, usual_costs, plain),
    "a batch every night": (cron_nightly, usual_costs, plain),
    "a job every week": (weekly_job, usual_costs, plain),
    "office hours": (office_hours, usual_costs, plain),
    "holidays": (holidays, usual_costs, plain),
    "a clock change": (clock_change, usual_costs, plain),
    "slow waves": (slow_waves, usual_costs, plain),
    "sessions": (sessions, usual_costs, plain),
    "shrinking": (shrinking, usual_costs, plain),
    "wild nights": (uneven_noise, usual_costs, plain),
    "two prices": (hourly, two_prices, plain),
    "wide costs": (hourly, wide_costs, plain),
    "Pareto costs": (hourly, pareto_costs, plain),
    "even costs": (hourly, even_costs, plain),
    "prompts drift": (hourly, usual_costs, prompts_drift),
    "price steps": (hourly, usual_costs, price_steps),
}
"""The level, the cost of a request, and what time does to that cost."""


def make(kind: str, spec: Spec, seed: int, series: int) -> Traffic:
    """Of the spec: rate, weeks, days, and the mean cost."""
    rows = [
        _series(kind, spec, np.random.default_rng([seed, number, zlib.crc32(kind.encode())]))
        for number in range(series)
    ]
    events, cost, squares = (np.stack([row[part] for row in rows]) for part in range(3))
    return Traffic(spec, FIRST_MINUTE, events.astype(np.int32), cost, squares)


def _series(kind: str, spec: Spec, rng: Rng) -> tuple[Floats, Floats, Floats]:
    level, of_request, over_time = KINDS[kind]
    minutes = FIRST_MINUTE + np.arange(spec.minutes, dtype=np.int64)
    events = rng.poisson(spec.rate * season(minutes) * level(minutes, rng))
    factors = spec.cost * over_time(minutes, rng)
    cost, squares = np.zeros(len(events)), np.zeros(len(events))
    for begin in range(0, len(events), DAY):
        counts = events[begin : begin + DAY]
        single = of_request(int(counts.sum()), rng) * np.repeat(factors[begin : begin + DAY], counts)
        firsts = np.concatenate([[0], np.cumsum(counts)])
        for totals, amounts in ((cost, single), (squares, single * single)):
            summed = np.concatenate([[0.0], np.cumsum(amounts)])
            totals[begin : begin + DAY] = summed[firsts[1:]] - summed[firsts[:-1]]
    return events.astype(np.float64), cost, squares

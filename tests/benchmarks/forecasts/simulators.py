"""Daily spend of budgets, simulated in two ways that share nothing: a level that walks, and a crowd of customers.

Nothing here is fitted to a real company. The two differ in what a forecast has to cope with: the first is what a model
of levels, weekdays and months expects, with shocks; the second has no level at all, only customers who come, go, pause
and hit their quotas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Random = np.random.Generator
FIRST: Final = date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class Spend:
    """Of budgets, by day from `first` (a date's ordinal) on."""

    first: int
    values: Floats  # (budgets, days), never negative
    holidays: frozenset[int] = frozenset()  # ordinals; what a calendar of the country would say


def walk(seed: int, budgets: int, days: int) -> Spend:
    """A level that walks at random and grows, times weekdays and noise; launches, shifts, incidents, billing runs at
    the month's end, and lump sums on the 1st."""
    rng = np.random.default_rng([seed, 1])
    dates = [FIRST + timedelta(days=day) for day in range(days)]
    return Spend(FIRST.toordinal(), np.array([_walking(rng, dates) for _ in range(budgets)]))


def _walking(rng: Random, dates: list[date]) -> Floats:
    days = len(dates)
    ordinals = np.array([day.toordinal() for day in dates])
    level = rng.normal(5, 1.2) + np.cumsum(rng.normal(0, rng.uniform(0.003, 0.012), days))
    growth = np.repeat(rng.normal(0.001, 0.002, days // 90 + 1), 90)[:days]
    level += np.cumsum(growth)
    level += _shifts(rng, days, 1 / 200, 0.3) + _launches(rng, days, 1 / 200)
    weekend = rng.uniform(0.3, 1.05)
    weekdays = np.concatenate([rng.normal(0, 0.05, 5), np.log(weekend) + rng.normal(0, 0.05, 2)])
    noise = np.zeros(days)
    shock = rng.normal(0, rng.uniform(0.06, 0.2), days)
    for day in range(1, days):
        noise[day] = 0.3 * noise[day - 1] + shock[day]
    incidents = np.where(rng.random(days) < 1 / 70, rng.uniform(0.7, 1.6, days), 0)
    billing = np.zeros(days)
    if rng.random() < 0.4:
        left = np.array([((day.replace(day=28) + timedelta(days=4)).replace(day=1) - day).days for day in dates])
        billing[left <= rng.integers(1, 4)] = rng.uniform(0.2, 0.8)
    usage = np.exp(level + weekdays[ordinals % 7 - 1] + noise + incidents + billing)
    if rng.random() < 0.4:
        first_of_month = np.array([day.day == 1 for day in dates])
        usage[first_of_month] += np.median(usage) * rng.uniform(1, 6)
    return np.asarray(usage)


def _shifts(rng: Random, days: int, rate: float, size: float) -> Floats:
    return np.cumsum(np.where(rng.random(days) < rate, rng.normal(0, size, days), 0))


def _launches(rng: Random, days: int, rate: float) -> Floats:
    """Each raises the level over one to three weeks."""
    total = np.zeros(days)
    for start in np.nonzero(rng.random(days) < rate)[0]:
        total += rng.uniform(0.15, 0.5) * np.clip((np.arange(days) - start) / rng.uniform(7, 21), 0, 1)
    return total


def crowd(seed: int, budgets: int, days: int) -> Spend:
    """Sums of a changing number of customers: each with a size of its own (a few are very large), with requests that
    come in batches, who pauses and goes on, who has a quota a day; on holidays half of them rest."""
    rng = np.random.default_rng([seed, 2])
    ordinals = FIRST.toordinal() + np.arange(days)
    holidays = frozenset(int(day) for day in rng.choice(ordinals, max(1, days // 33), replace=False))
    resting = np.array([int(day) in holidays for day in ordinals])
    return Spend(int(ordinals[0]), np.array([_crowd(rng, ordinals, resting) for _ in range(budgets)]), holidays)


def _crowd(rng: Random, ordinals: npt.NDArray[np.int64], resting: npt.NDArray[np.bool_]) -> Floats:
    days = len(ordinals)
    wanted = rng.integers(8, 80)
    stays = rng.uniform(90, 500)
    arrivals = rng.poisson(wanted / stays * rng.uniform(0.9, 2.0), days)
    begins = np.concatenate([np.zeros(wanted, np.int64), np.repeat(np.arange(days), arrivals)])
    ends = begins + rng.exponential(stays, len(begins))
    today = np.arange(days)
    here = (today >= begins[:, None]) & (today < ends[:, None])
    size = np.minimum(rng.pareto(1.5, len(begins)) + 0.2, 40)[:, None]
    businesslike = rng.random(len(begins)) < rng.uniform(0.5, 1.0)
    weekend = np.where(businesslike, rng.uniform(0.05, 0.5, len(begins)), rng.uniform(0.8, 1.3, len(begins)))
    off = (((ordinals - 1) % 7 >= 5) | resting)[None, :]
    rate = size * np.where(off, weekend[:, None], 1.0) * _paused(rng, len(begins), days)
    batches = rng.poisson(rate * here * 2)
    usage = rng.gamma(np.maximum(batches, 1e-9) * 0.6) * (batches > 0)
    quota = np.where(rng.random(len(begins)) < 0.3, size[:, 0] * rng.uniform(1.0, 2.5, len(begins)), np.inf)
    return np.asarray(np.minimum(usage, quota[:, None]).sum(axis=0) * rng.uniform(0.5, 20))


def _paused(rng: Random, customers: int, days: int) -> Floats:
    """A factor per customer and day: 1, or less while it uses something else."""
    switches = rng.random((customers, days)) < 1 / rng.uniform(40, 300, customers)[:, None]
    other = np.cumsum(switches, axis=1) % 2 == 1
    return np.where(other, rng.uniform(0.1, 1.6, customers)[:, None], 1.0)


SIMULATORS: Final[dict[str, Callable[[int, int, int], Spend]]] = {"walk": walk, "crowd": crowd}

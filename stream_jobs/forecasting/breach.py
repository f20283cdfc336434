"""Whether an amount will be spent before its period ends, and when: from what is spent and what is to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream_jobs.forecasting.model import QUANTILES
from stream_jobs.forecasting.uncertain import Uncertain

Three = tuple[float, float, float]
Days = tuple[int | None, int | None, int | None]
NEVER: Final[Days] = (None, None, None)


@dataclass(frozen=True, slots=True)
class Breach:
    probability: float  # that more than the amount is spent by the period's end
    days: Days
    """P10, P50 and P90: the first day (0: the first of those to come) by whose end the amount is passed with at least
    that chance. None: not within the period. -1: it is passed already."""
    total: Three  # P10, P50 and P90 of what the period comes to


def breach_of(spent: float, amount: float, sums: Sequence[Uncertain], passed: float = 0.0) -> Breach:
    """`sums`: of the period's days that are left, as in a forecast; none when it is over. `spent` may be negative, for
    credits; what is to come never is. `passed`: what of the first day's sum is to have come already, where that day
    goes on and what it brought so far is in `spent`."""
    if not sums:
        return Breach(float(spent > amount), (-1, -1, -1) if spent > amount else NEVER, (spent, spent, spent))
    end = sums[-1].plus(spent - passed)
    low, middle, high = (max(spent, float(end.quantile(probability))) for probability in QUANTILES)
    if spent > amount:
        return Breach(1.0, (-1, -1, -1), (low, middle, high))
    return Breach(end.chance_above(amount), _days(amount - spent + passed, sums), (low, middle, high))


def _days(left: float, sums: Sequence[Uncertain]) -> Days:
    """Chances never fall from day to day, whatever bands of single sums say."""
    found: list[int | None] = []
    day, chance = -1, 0.0
    for wanted in QUANTILES:
        while chance < wanted and day + 1 < len(sums):
            day += 1
            chance = max(chance, sums[day].chance_above(left))
        found.append(day if chance >= wanted else None)
    return found[0], found[1], found[2]

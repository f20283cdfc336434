"""Month's ends and breaches on simulated spend: how near, how honest the bands, how good the alerts.

Each month is forecast from its tenth day on, with all budgets of the simulation as one tenant's, and nothing of what
comes later is used. Amounts are what somebody might have set when the month began: the month before, times a factor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.breach import breach_of
from stream_jobs.forecasting.day_ahead import DayAhead
from stream_jobs.forecasting.day_outlook import DayOutlook
from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasting.protocol import State, evaluate
from tests.benchmarks.forecasts.month_rivals import CHEAP, SLOW
from tests.benchmarks.forecasts.simulators import Spend

Floats = npt.NDArray[np.float64]
Told = Callable[[int, int], None]
DAY: Final = 10  # of the month: so many are over
FIRST_ALERT: Final = 2  # days that are over when alerts are evaluated first, on the third day
WARM: Final = 180  # days before the first month that counts
RAISE: Final = 0.06  # log: what amounts lie above the month before, in the middle
SET_APART: Final = 0.2
BINS: Final = 10
MANY_FLIPS: Final = 2


@dataclass(slots=True)
class Month:
    """Of one budget."""

    total: float
    low: float
    middle: float
    high: float
    amount: float
    chance: float  # on the tenth day
    raised: bool = False
    flips: int = 0
    rivals: dict[str, float] = field(default_factory=dict)  # totals; the slow ones of some months alone

    @property
    def breached(self) -> bool:
        return self.total > self.amount


def measure(spend: Spend, *, seed: int = 0, slow: int = 0, told: Told = lambda _done, _of: None) -> list[Month]:
    """All months of all budgets that are whole. `slow`: how many of them libraries are fitted for, chosen at random."""
    values, first = spend.values, spend.first
    panel = Panel([str(number) for number in range(len(values))], "day", first, values)
    months = _months(first, values.shape[1])
    asked = range(months[0][0], months[-1][1])
    outlook = DayOutlook(panel, 31, asked=asked, holidays=spend.holidays, told=told)
    rng = np.random.default_rng([seed, 3])
    factors = np.exp(rng.normal(RAISE, SET_APART, (len(months), len(values))))
    fitted = set(rng.permutation(len(months) * len(values))[:slow].tolist())
    found = [
        month
        for number, (start, end) in enumerate(months)
        for month in _month(outlook, panel, start, end, factors[number])
    ]
    for place in range(len(found)):
        start, end = months[place // len(values)]
        past = values[place % len(values), : start + DAY - first]
        spent = float(past[-DAY:].sum())
        for name, rival in (CHEAP | (SLOW if place in fitted else {})).items():
            found[place].rivals[name] = spent + rival(past, first, DAY, end - start - DAY)
        told(place + 1, len(found))
    return found


def _month(outlook: DayOutlook, panel: Panel, start: int, end: int, factors: Floats) -> list[Month]:
    before = (date.fromordinal(start) - timedelta(days=1)).replace(day=1).toordinal()
    values, first = panel.values, panel.first
    amounts = values[:, before - first : start - first].sum(axis=1) * factors
    months: list[Month] = []
    states = [State()] * len(values)
    raised, flips = np.zeros(len(values), np.bool_), np.zeros(len(values), np.int64)
    for today in range(start + FIRST_ALERT, end):
        ahead = outlook.ahead(today, end - today)
        for series in range(len(values)):
            spent = float(values[series, start - first : today - first].sum())
            breach = breach_of(spent, amounts[series], ahead.sums(series))
            states[series], did = evaluate(
                states[series],
                period=str(start),
                length=timedelta(days=end - start),
                elapsed=timedelta(days=today - start),
                chance=breach.probability,
                exceeded=spent > amounts[series],
            )
            raised[series] |= did == "raised"
            flips[series] += did in ("raised", "cleared")
            if today == start + DAY:
                months.append(
                    _on_day(
                        values[series, start - first : end - first],
                        amounts[series],
                        breach.probability,
                        spent,
                        ahead,
                        series,
                    )
                )
    for series, month in enumerate(months):
        month.raised, month.flips = bool(raised[series]), int(flips[series])
    return months


def _on_day(values: Floats, amount: float, chance: float, spent: float, ahead: DayAhead, series: int) -> Month:
    rest = ahead.sums(series)[-1]
    low, middle, high = (spent + float(rest.quantile(probability)) for probability in (0.1, 0.5, 0.9))
    return Month(float(values.sum()), low, middle, high, float(amount), chance)


def _months(first: int, days: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    start = date.fromordinal(first + WARM).replace(day=1)
    while True:
        start, behind = (start.replace(day=28) + timedelta(days=4)).replace(day=1), start
        if start.toordinal() > first + days:
            return found
        if behind.toordinal() >= first + WARM:
            found.append((behind.toordinal(), start.toordinal()))


def error(months: Sequence[Month], rival: str | None = None) -> float:
    """The median of absolute errors, as a share of the total; of ours, or of a rival where it has one."""
    pairs = [
        (month.middle if rival is None else month.rivals[rival], month.total)
        for month in months
        if rival is None or rival in month.rivals
    ]
    return float(np.median([abs(said - total) / total for said, total in pairs]))


def ratio(months: Sequence[Month], rival: str) -> float:
    """Our error over a rival's, on the months it has."""
    both = [month for month in months if rival in month.rivals]
    return error(both) / error(both, rival)


def tails(months: Sequence[Month]) -> tuple[float, float]:
    """The shares of months below P10 and above P90."""
    below = np.mean([month.total < month.low for month in months])
    return float(below), float(np.mean([month.total > month.high for month in months]))


def brier(months: Sequence[Month]) -> float:
    return float(np.mean([(month.chance - month.breached) ** 2 for month in months]))


def calibration_error(months: Sequence[Month]) -> float:
    """Expected calibration error: chances in ten bins of equal width, weighted by how many are in each."""
    chances = np.array([month.chance for month in months])
    came = np.array([month.breached for month in months], float)
    bins = np.minimum((chances * BINS).astype(int), BINS - 1)
    gaps = [abs(float((chances - came)[bins == place].sum())) for place in range(BINS)]
    return sum(gaps) / len(months)


@dataclass(frozen=True, slots=True)
class Alerts:
    base_rate: float
    precision: float
    recall: float
    many_flips: float  # the share of months with more than two


def alerts(months: Sequence[Month]) -> Alerts:
    raised = np.array([month.raised for month in months])
    breached = np.array([month.breached for month in months])
    right = float((raised & breached).sum())
    return Alerts(
        float(breached.mean()),
        right / max(float(raised.sum()), 1.0),
        right / max(float(breached.sum()), 1.0),
        float(np.mean([month.flips > MANY_FLIPS for month in months])),
    )

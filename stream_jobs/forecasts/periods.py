"""What a budget's period will come to: spent, and what the rest of it adds. Plain."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasting.breach import breach_of
from stream_jobs.forecasting.model import Forecast
from stream_jobs.forecasts.grid import Grid, Step
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.raising import NOT_YET, Kept, next_kept
from stream_jobs.series.calendar import Period
from stream_jobs.series.facts import Values
from stream_jobs.store.fitting import printable

SHORT: Final = timedelta(hours=26)
"""Periods up to that are added up of hours: a day, which may have an hour more, and all that is shorter."""
NOT_STATED: Final = "without what was carried over, which the budgets job has not stated yet"
_THOUSANDTH: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Spent:
    """Of a period, in 1e-12 of what is counted."""

    before: int  # in cells that are over
    now: int  # up to the run


def grain_of(period: Period) -> Step:
    """By which a period is added up."""
    return "hour" if period.end - period.start <= SHORT else "day"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Makes the rows of one budget's period."""

    budgets: Budgets
    budget: Budget
    period: Period
    grid: Grid
    origin: int  # the first cell that is forecast
    lease: Lease

    def row(
        self,
        values: Values,
        spent: Spent,
        forecast: Forecast,
        kept: Mapping[Decimal, Kept],
        stated: Decimal | None = None,
    ) -> dict[str, Any]:
        """Of `budget_forecasts`. `kept`: by threshold, as the last run left it. `stated`: the period's amount, as the
        budgets job keeps it, of a budget with carry-over: nobody else knows what earlier periods left."""
        budgets, budget, period = self.budgets, self.budget, self.period
        unit = budgets.unit_of(budget, period.start)
        amount = budgets.amount_pico(budget, period.start, values) + budgets.credit_pico(budget, period, values)
        whys = [forecast.why]
        if stated is not None:
            amount = unit.counted(stated)
        elif budget.carry_over is not None:
            whys.append(NOT_STATED)
        key = budgets.calendar_of(budget).period_key(period)
        row: dict[str, Any] = {
            **{"run": self.lease.run, "grain": self.grid.step, "budget_id": budget.id, "vals": list(values)},
            **{"period_key": key, "period_start": period.start, "period_end": period.end},
            **{"unit": unit.kept_in, "currency": unit.name, "rate": unit.rate},
            **{"amount": unit.kept(amount), "spent": unit.kept(spent.now)},
            **{"label": forecast.label, "why": printable("; ".join(filter(None, whys)))},
        }
        if why := self._why_not(forecast):
            return {**row, **_NOTHING, "label": "refused", "why": printable(why), "evaluated_at": self.lease.run}
        return row | self._reckoned(key, unit, amount, spent, forecast, kept)

    def _why_not(self, forecast: Forecast) -> str:
        if forecast.refused:
            return forecast.why or "nothing can be said of it"
        if self.grid.start(self.origin) < self._first_cell:
            return f"the ledger is known until {self.lease.known_until:%F %H:%M} UTC, before the period began"
        if self._left > len(forecast.sums):
            return f"its period ends in {self._left} {self.grid.step}s, and {len(forecast.sums)} are forecast"
        return ""

    @property
    def _first_cell(self) -> datetime:
        return self.grid.start(self.grid.cell_at(self.period.start))

    @property
    def _left(self) -> int:
        """Cells of the period that are not over."""
        return self.grid.cells_until(self.origin, self.period.end)

    def _reckoned(
        self, key: str, unit: Unit, amount: int, spent: Spent, forecast: Forecast, kept: Mapping[Decimal, Kept]
    ) -> dict[str, Any]:
        sums = forecast.sums[: self._left]
        before = spent.before / PICO_PER_USD
        breach = breach_of(before, amount / PICO_PER_USD, sums)
        days = [None if day is None else self._instant(day) for day in breach.days]
        if spent.now > amount:
            days = [self.lease.run] * 3
        thresholds, chances, after = [], [], []
        for percent, limit in self._limits(unit, amount):
            exceeded = spent.now > limit
            chance = 1.0 if exceeded else breach_of(before, limit / PICO_PER_USD, sums).probability
            thresholds.append(percent)
            chances.append(min(1.0, max(0.0, chance)))
            was = kept.get(percent, NOT_YET)
            args = (was, self.grid.step, self.lease.run, key, self.period)
            after.append(next_kept(*args, chance=chance, exceeded=exceeded))
        totals = [unit.kept(max(round(total * PICO_PER_USD), spent.now)) for total in breach.total]
        return {
            **dict(zip(("p10", "p50", "p90"), totals, strict=True)),
            **dict(zip(("breach_p10", "breach_p50", "breach_p90"), days, strict=True)),
            **{"thresholds": thresholds, "probabilities": chances},
            **{"raised_since": [one.raised_since for one in after], "states": [one.state for one in after]},
            "evaluated_at": max((one.evaluated_at for one in after), default=self.lease.run),
        }

    def _limits(self, unit: Unit, amount: int) -> list[tuple[Decimal, int]]:
        """What people are told of and services follow: percent of the amount, and how much that is, in 1e-12;
        rising."""
        found = {
            percent.quantize(_THOUSANDTH): int(amount * percent / 100) for percent in self.budget.foretold_percents
        }
        for threshold in self.budget.thresholds.forecast:
            if threshold.at_amount is not None and amount > 0:
                limit = unit.pico(threshold.at_amount)
                percent = Decimal(limit * 100) / Decimal(amount)
                if percent < 10**5:
                    found[percent.quantize(_THOUSANDTH)] = limit
        return sorted(found.items())

    def _instant(self, cell: int) -> datetime:
        """Of a cell, counted from the first to come; -1: it has happened. What is to happen within the present cell
        has not happened before the run."""
        return self.lease.run if cell < 0 else max(self.grid.start(self.origin + cell), self.lease.run)


_NOTHING: Final[dict[str, Any]] = {
    **dict.fromkeys(("p10", "p50", "p90", "breach_p10", "breach_p50", "breach_p90")),
    **{"thresholds": [], "probabilities": [], "raised_since": [], "states": []},
}

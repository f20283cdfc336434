"""What budgets will come to: what is spent, read from the ledger, and what earlier runs decided; rows written."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.base.money import PICO_PLACES
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.forecasting.model import Forecast
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.model import Past
from stream_jobs.forecasts.periods import Outlook, Spent, grain_of
from stream_jobs.forecasts.plan import Part, period_of
from stream_jobs.forecasts.raising import Kept
from stream_jobs.series.calendar import Period
from stream_jobs.series.facts import Values
from stream_jobs.series.history import History
from stream_jobs.series.measures import places_of
from stream_jobs.store.client import StoreClient

KEPT_FOR: Final = timedelta(days=4)
"""What earlier runs decided is forgotten when there was none for so long."""
Decided = Mapping[tuple[str, Values], Mapping[Decimal, Kept]]


class Outlooks:
    """Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient, history: History) -> None:
        self._store = store
        self._history = history

    def rows(
        self, part: Part, budgets: Budgets, past: Past, forecasts: Sequence[Forecast], lease: Lease
    ) -> Iterator[dict[str, Any]]:
        """Of every budget whose period is added up by the grain of this run, and of each of its values."""
        decided = self._decided(part.grid.step, lease)
        for budget in part.budgets:
            period = period_of(budgets, budget, lease.run)
            if period is None or grain_of(period) != part.grid.step:
                continue
            outlook = Outlook(budgets, budget, period, part.grid, part.origin, lease)
            spent = self._spent(budgets, budget, period, part, lease)
            its = [(key, one) for key, one in zip(past.keys, forecasts, strict=True) if key.budget_id == budget.id]
            stated = self._stated(budget, period, [key.vals for key, _ in its]) if budget.carry_over is not None else {}
            for key, forecast in its:
                if not key.is_rest:
                    kept = decided.get((budget.id, key.vals), {})
                    so_far = spent.get(key.vals, Spent(0, 0))
                    yield outlook.row(key.vals, so_far, forecast, kept, stated.get(key.vals))

    def _spent(self, budgets: Budgets, budget: Budget, period: Period, part: Part, lease: Lease) -> dict[Values, Spent]:
        """By values. Whatever is booked up to now of the cell that is not over counts as spent, and that cell's
        forecast is of all of it: the period is never said to come to less than what is spent."""
        spec = budgets.series_of(budget)
        scale = 10 ** (PICO_PLACES - places_of(spec.measure))
        begins = unix_micros(part.grid.start(part.origin))
        found: dict[Values, Spent] = {}
        if lease.run <= period.start:
            return found
        for start, by_values in self._history.read(spec, part.grid.step, period.start, lease.run).items():
            for values, sums in by_values.items():
                so_far, pico = found.get(values, Spent(0, 0)), sums.amount * scale
                found[values] = Spent(so_far.before + (pico if start < begins else 0), so_far.now + pico)
        return found

    def _stated(self, budget: Budget, period: Period, values: Sequence[Values]) -> dict[Values, Decimal]:
        """The present period's amount with what earlier ones left, as the budgets job keeps it."""
        rows = self._store.rows(
            "SELECT vals, amount FROM budget_status WHERE budget_id = {budget:String} "
            "AND period_start = fromUnixTimestamp64Micro({start:Int64}, 'UTC') "
            "AND has({values:Array(Array(String))}, vals)",
            {"budget": budget.id, "start": unix_micros(period.start), "values": [list(one) for one in values]},
        )
        return {tuple(vals): amount for vals, amount in cast(list[tuple[list[str], Decimal]], rows)}

    def _decided(self, grain: Step, lease: Lease) -> Decided:
        """By budget and values, as the latest complete run left it that could say something."""
        rows = self._store.rows(
            "SELECT budget_id, vals, thresholds, states, raised_since, evaluated_at FROM budget_forecasts "
            "WHERE grain = {grain:String} AND notEmpty(thresholds) "
            "AND run >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND run IN ("
            "SELECT run FROM forecast_runs WHERE grain = {grain:String} AND status = 'complete') "
            "ORDER BY run DESC LIMIT 1 BY budget_id, vals",
            {"grain": grain, "since": unix_micros(lease.run - KEPT_FOR)},
        )
        found: dict[tuple[str, Values], dict[Decimal, Kept]] = {}
        for budget_id, vals, thresholds, states, raised, at in cast(list[tuple[Any, ...]], rows):
            evaluated = as_utc(cast(datetime, at))
            found[budget_id, tuple(vals)] = {
                Decimal(percent): Kept(state, as_utc(since), evaluated)
                for percent, state, since in zip(thresholds, states, raised, strict=True)
            }
        return found

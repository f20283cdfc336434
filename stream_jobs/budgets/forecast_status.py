"""What is forecast of budgets, for the commands: the view budget_forecasts_now, beside where each budget stands."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from stream_jobs.base.instants import as_utc
from stream_jobs.budgets.status import BudgetStanding
from stream_jobs.store.client import StoreClient, StoreQueryError


class BudgetForecast(NamedTuple):
    """Of one budget, values and period. Figures are in the standing's unit, of the whole period; None: refused."""

    as_of: datetime
    amount: Decimal  # that the chances are about: without what was credited or carried over since
    p10: Decimal | None
    p50: Decimal | None
    p90: Decimal | None
    thresholds: tuple[Decimal, ...]  # percents of the amount; the next two stand beside them
    probabilities: tuple[float, ...]
    raised_since: tuple[datetime | None, ...]
    probability: float | None  # of passing the amount itself; None: nobody asked
    breach_p10: datetime | None
    breach_p50: datetime | None
    breach_p90: datetime | None
    label: str
    why: str
    stale_since: datetime | None
    stale_why: str


Forecasts = dict[tuple[str, str, tuple[str, ...]], BudgetForecast]
"""By budget, period_key and values."""
_COLUMNS: Final = (
    "budget_id, period_key, vals, run, amount, p10, p50, p90, thresholds, probabilities, raised_since, probability, "
    "breach_p10, breach_p50, breach_p90, label, why, stale_since, stale_why"
)


def forecasts(store: StoreClient, budget_id: str | None = None) -> Forecasts:
    """Of all budgets, or of one; empty where the store knows of no forecasts. Raises StoreUnavailableError."""
    which = " WHERE budget_id = {budget:String}" if budget_id is not None else ""
    given: dict[str, object] = {} if budget_id is None else {"budget": budget_id}
    try:
        rows = store.rows(f"SELECT {_COLUMNS} FROM budget_forecasts_now{which}", given)
    except StoreQueryError as error:
        if not error.of_unknown_table:
            raise
        return {}  # an instance of before, which a newer command asks
    return {(row[0], row[1], tuple(row[2])): _forecast(row[3:]) for row in cast(list[tuple[Any, ...]], rows)}


def forecast_of(found: Forecasts, standing: BudgetStanding) -> BudgetForecast | None:
    """Of the period in which it stands."""
    return found.get((standing.budget_id, standing.period_key, standing.vals))


def chance_of(forecast: BudgetForecast, standing: BudgetStanding) -> float | None:
    """That more than the amount is used; None where the forecast is about another amount, or says nothing of it."""
    return forecast.probability if forecast.amount == standing.amount else None


def _forecast(row: tuple[Any, ...]) -> BudgetForecast:
    run, amount, p10, p50, p90, percents, chances, raised, chance, first, middle, last, label, why, stale, reason = row
    return BudgetForecast(
        *(as_utc(run), amount, p10, p50, p90, tuple(percents), tuple(chances), tuple(map(_instant, raised)), chance),
        *(_instant(first), _instant(middle), _instant(last), label, why, _instant(stale), reason),
    )


def _instant(at: datetime | None) -> datetime | None:
    return None if at is None else as_utc(at)

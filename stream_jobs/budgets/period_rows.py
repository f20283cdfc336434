"""Where budgets stand, as rows of budget_periods: column by column, for there may be hundreds of thousands."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import pyarrow as pa

from stream_jobs.base.instants import unix_micros
from stream_jobs.budget_terms.units import Unit
from stream_jobs.budgets.book import StandingUpdate
from stream_jobs.budgets.standing import ThresholdKey
from stream_jobs.series.calendar import Period
from stream_jobs.store.decimals import decimals_of
from stream_jobs.store.tables import INSTANT, MONEY, TABLES

_SCHEMA: Final = TABLES["budget_periods"]


def kept_period(period: Period, *, rolling: bool) -> tuple[datetime, datetime]:
    """The start and the end that are kept. Of a rolling window: the hour in which it ends."""
    if not rolling:
        return period.start, period.end
    end = period.end - timedelta(microseconds=1)
    start = end.replace(minute=0, second=0, microsecond=0)
    return start, start + timedelta(hours=1)


def period_rows(updates: Sequence[StandingUpdate]) -> pa.Table:
    """One row each, in their order."""
    micros = cache(unix_micros)  # most of them are of the same periods and of one cycle
    budgets = [update.budget for update in updates]
    standings = [update.standing for update in updates]
    units = [standing.unit for standing in standings]
    kept = [kept_period(standing.period, rolling=standing.rolling) for standing in standings]
    exhausted = [standing.exhausted_at for standing in standings]
    columns: dict[str, Any] = {
        "budget_id": [budget.id for budget in budgets],
        "period_start": _instants(micros(start) for start, _ in kept),
        "vals": [update.place.values for update in updates],
        "period_key": [update.place.period_key for update in updates],
        "period_end": _instants(micros(end) for _, end in kept),
        "updated_at": _instants(micros(update.at) for update in updates),
        "name": [budget.name for budget in budgets],
        "owner": [budget.owner or "" for budget in budgets],
        "parent": [budget.parent or "" for budget in budgets],
        "per": [budget.per for budget in budgets],
        "unit": [unit.kept_in for unit in units],
        "currency": [unit.name if unit.is_money else "" for unit in units],
        "rate": [unit.rate for unit in units],
        "amount": _kept(units, [standing.amount for standing in standings]),
        "credited": _kept(units, [standing.credit for standing in standings]),
        "spent": _kept(units, [standing.spent for standing in standings]),
        "held": _kept(units, [standing.held for standing in standings]),
        "unpriced_events": [standing.unpriced for standing in standings],
        "burn_per_hour": _kept(units, [standing.burn for standing in standings]),
        "forecast": _kept(units, [standing.forecast for standing in standings]),
        "exhausted_at": _instants(None if at is None else unix_micros(at) for at in exhausted),
        "thresholds": [sorted(key.percent for key in _actual(update) if not key.amount) for update in updates],
        "threshold_amounts": [sorted(key.amount for key in _actual(update) if key.amount) for update in updates],
    }
    return pa.table([_column(field, columns[field.name]) for field in _SCHEMA], schema=_SCHEMA)


def _column(field: pa.Field, values: Any) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, field.type)


def _instants(micros: Iterable[int | None]) -> pa.Array:
    return pa.array(micros, pa.int64()).cast(INSTANT)


def _kept(units: Sequence[Unit], picos: Sequence[int | None]) -> pa.Array:
    pairs = zip(units, picos, strict=True)
    return decimals_of([None if pico is None else unit.kept_pico(pico) for unit, pico in pairs], MONEY)


def _actual(update: StandingUpdate) -> list[ThresholdKey]:
    return [key for key in update.crossed if key.kind == "actual"] if update.crossed else []

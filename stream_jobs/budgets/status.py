"""What the store knows of budgets, for the commands and the report: definitions, standings, crossings."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.instants import as_utc
from stream_jobs.budgets.control import REFUSED
from stream_jobs.store.client import StoreClient

MAX_STANDINGS: Final = 10_000


@dataclass(frozen=True, slots=True)
class DefinedBudget:
    """The definition that counts. `document` is as in budgets.yaml."""

    budget_id: str
    origin: str  # file or control
    changed_by: str
    at: datetime
    note: str
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def parent(self) -> str:
        return str(self.document.get("parent", ""))

    @property
    def period(self) -> str:
        period = self.document["period"]
        return period if isinstance(period, str) else f"last {period['rolling']}" if "rolling" in period else "listed"


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """A row of the view budget_status. Money in USD."""

    budget_id: str
    vals: tuple[str, ...]
    period_key: str
    period_start: datetime
    period_end: datetime
    amount: Decimal
    spent: Decimal
    held: Decimal
    unpriced_events: int
    burn_per_hour: Decimal | None
    forecast: Decimal | None
    exhausted_at: datetime | None
    thresholds: tuple[Decimal, ...]
    updated_at: datetime

    @property
    def used(self) -> Decimal:
        return self.spent + self.held


def defined_budgets(store: StoreClient) -> list[DefinedBudget]:
    """Those that count now, by id. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT budget_id, toString(origin), changed_by, at, note, definition, removed FROM budget_definitions "
        "WHERE NOT startsWith(note, {refused:String}) ORDER BY budget_id, at DESC LIMIT 1 BY budget_id",
        {"refused": REFUSED},
    )
    return [
        DefinedBudget(*(budget_id, origin, by, as_utc(at), note), json.loads(text, parse_float=Decimal))
        for budget_id, origin, by, at, note, text, removed in cast(list[tuple[Any, ...]], rows)
        if not removed
    ]


def standings(store: StoreClient, budget_id: str | None = None) -> list[BudgetStanding]:
    """Where the budgets stand, those that have used most of their amount first. Raises StoreUnavailableError."""
    which = "WHERE budget_id = {budget:String} " if budget_id is not None else ""
    rows = store.rows(
        "SELECT budget_id, vals, period_key, period_start, period_end, amount, spent, held, unpriced_events, "
        f"burn_per_hour, forecast, exhausted_at, thresholds, updated_at FROM budget_status {which}"
        f"ORDER BY used_share DESC NULLS FIRST, spent DESC, vals LIMIT {MAX_STANDINGS}",
        {"budget": budget_id} if budget_id is not None else None,
    )
    return [_standing(row) for row in cast(list[tuple[Any, ...]], rows)]


def _standing(row: tuple[Any, ...]) -> BudgetStanding:
    budget, vals, key, start, end, amount, spent, held, unpriced, burn, forecast, exhausted, thresholds, at = row
    return BudgetStanding(
        *(budget, tuple(vals), key, as_utc(start), as_utc(end), amount, spent, held, int(unpriced), burn, forecast),
        None if exhausted is None else as_utc(exhausted),
        tuple(thresholds),
        as_utc(at),
    )


def past_periods(store: StoreClient, budget_id: str, limit: int = 12) -> list[tuple[str, str, Decimal, Decimal]]:
    """Its latest periods, newest first: key, values, used and amount. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT period_key, arrayStringConcat(vals, ', '), spent + held, amount FROM budget_history "
        f"WHERE budget_id = {{budget:String}} ORDER BY period_start DESC, vals LIMIT {limit}",
        {"budget": budget_id},
    )
    return cast(list[tuple[str, str, Decimal, Decimal]], rows)


def crossings(
    store: StoreClient, since: datetime, until: datetime, budget_id: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Thresholds that were crossed or taken back, newest first; keys are column names. Raises StoreUnavailableError."""
    names = (
        "at",
        "budget_id",
        "vals",
        "period_key",
        "kind",
        "threshold",
        "direction",
        "spent",
        "held",
        "amount",
        "late",
    )
    which = " AND budget_id = {budget:String}" if budget_id is not None else ""
    rows = store.rows(
        f"SELECT {', '.join(names)} FROM budget_crossings WHERE at >= {{since:DateTime64(6, 'UTC')}} "
        f"AND at < {{until:DateTime64(6, 'UTC')}}{which} ORDER BY at DESC, threshold DESC LIMIT {limit}",
        {"since": since, "until": until, "budget": budget_id or ""},
    )
    return [{**dict(zip(names, row, strict=True)), "at": as_utc(cast(datetime, row[0]))} for row in rows]


def change_outcome(store: StoreClient, change_id: str) -> str | None:
    """None: not taken up yet; empty: taken up; else why it was refused. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT note FROM budget_definitions WHERE change_id = {change:String} LIMIT 1", {"change": change_id}
    )
    if not rows:
        return None
    note = str(rows[0][0])
    return note.removeprefix(REFUSED) if note.startswith(REFUSED) else ""

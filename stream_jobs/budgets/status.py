"""What the store knows of budgets, for the commands and the report: definitions, standings, crossings."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple, cast

from stream_jobs.base.instants import as_utc, from_unix_micros
from stream_jobs.base.json_values import instant_text
from stream_jobs.budget_terms.document import TOTAL
from stream_jobs.budget_terms.notes import REFUSED
from stream_jobs.budget_terms.units import Unit
from stream_jobs.currencies.document import USD
from stream_jobs.store.client import StoreClient


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
    def is_endless(self) -> bool:
        """Whether its period is a window, or all that is ever spent."""
        period = self.document["period"]
        return (
            "rolling" in period if isinstance(period, dict) else period == TOTAL and not self.document.get("valid_to")
        )

    @property
    def unit(self) -> Unit:
        """What it is stated in, by name."""
        measure = str(self.document.get("measure", "cost"))
        return stated_unit(USD, self.document.get("currency", USD)) if measure == "cost" else Unit(measure)

    @property
    def amount_text(self) -> str:
        """As it is stated."""
        return self.unit.said(Decimal(str(self.document["amount"])))

    @property
    def parent(self) -> str:
        return str(self.document.get("parent", ""))

    @property
    def period(self) -> str:
        period = self.document["period"]
        if isinstance(period, str):
            return period
        return f"last {period['rolling']}" if "rolling" in period else str(period["calendar"])


class BudgetStanding(NamedTuple):
    """A row of the view budget_status. The figures are in `unit`, USD for money."""

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
    unit: str
    credited: Decimal
    threshold_amounts: tuple[Decimal, ...]
    currency: str
    rate: Decimal

    @property
    def used(self) -> Decimal:
        return self.spent + self.held

    @property
    def stated(self) -> Unit:
        """What the budget is stated in."""
        return stated_unit(self.unit, self.currency, self.rate)


def stated_unit(unit: str, currency: str, rate: Decimal = Decimal(1)) -> Unit:
    """What a budget is stated in whose figures are kept so."""
    return Unit(currency, rate) if unit == USD and currency and rate > 0 else Unit(unit or USD)


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


_STANDING: Final = (
    "budget_id, vals, period_key, period_start, period_end, amount, spent, held, unpriced_events, burn_per_hour, "
    "forecast, exhausted_at, thresholds, updated_at, unit, credited, threshold_amounts, currency, rate"
)
# Where nothing may be spent, the first cent is more than any share; and nothing is no share at all.
_SHARE: Final = "if(amount > 0, toFloat64(spent + held) / toFloat64(amount), if(spent + held > 0, inf, 0))"
_DEAREST_FIRST: Final = f"ORDER BY {_SHARE} DESC, spent DESC, vals"


def standings(store: StoreClient, budget_id: str, limit: int) -> list[BudgetStanding]:
    """Where a budget stands, the values first that have used most of their amount, and so many of them.
    Raises StoreUnavailableError."""
    rows = store.rows(
        f"SELECT {_STANDING} FROM budget_status WHERE budget_id = {{budget:String}} {_DEAREST_FIRST} LIMIT {limit:d}",
        {"budget": budget_id},
    )
    return [_standing(row) for row in cast(list[tuple[Any, ...]], rows)]


_INSTANTS: Final = frozenset({"period_start", "period_end", "exhausted_at", "updated_at"})
_AMOUNTS: Final = frozenset({"amount", "spent", "held", "burn_per_hour", "forecast", "credited", "rate"})
_LISTS: Final = frozenset({"thresholds", "threshold_amounts"})


def _told(name: str) -> str:
    """A column so that nothing is left to do but to write it: decimals as texts of all their digits."""
    if name in _INSTANTS:
        return f"toUnixTimestamp64Micro({name})"
    if name in _AMOUNTS:
        return f"toString({name})"
    return f"arrayMap(one -> toString(one), {name})" if name in _LISTS else name


def told_standings(store: StoreClient, budget_id: str) -> tuple[list[dict[str, Any]], BudgetStanding | None]:
    """All that `standings` has, in its order, without the budget's id and in the one form of base/json_values; and the
    first of them. There may be hundreds of thousands. Raises StoreUnavailableError."""
    names = BudgetStanding._fields
    rows = store.rows(
        f"SELECT {', '.join(map(_told, names))} FROM budget_status WHERE budget_id = {{budget:String}} "
        + _DEAREST_FIRST,
        {"budget": budget_id},
    )
    if not rows:
        return [], None
    columns = dict(zip(names, zip(*cast(list[tuple[Any, ...]], rows), strict=True), strict=True))
    first = _from_told({name: column[0] for name, column in columns.items()})
    text = cache(_instant_text)  # most of them are the same
    columns |= {name: tuple(map(text, columns[name])) for name in _INSTANTS}
    del columns["budget_id"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], first


def _instant_text(micros: int | None) -> str | None:
    return None if micros is None else instant_text(from_unix_micros(micros))


def _from_told(told: dict[str, Any]) -> BudgetStanding:
    values: dict[str, Any] = told | {"vals": tuple(told["vals"])}
    values |= {name: None if told[name] is None else from_unix_micros(told[name]) for name in _INSTANTS}
    values |= {name: None if told[name] is None else Decimal(told[name]) for name in _AMOUNTS}
    return BudgetStanding(**values | {name: tuple(map(Decimal, told[name])) for name in _LISTS})


@dataclass(frozen=True, slots=True)
class First:
    """Of a budget's values the one that has used most of its amount, and how many there are."""

    standing: BudgetStanding
    values: int


def firsts(store: StoreClient, budget_id: str | None = None) -> dict[str, First]:
    """By id, of each budget that stands anywhere, however many values the others have. Raises StoreUnavailableError."""
    which = "WHERE budget_id = {budget:String} " if budget_id is not None else ""
    rows = store.rows(
        f"SELECT {_STANDING}, count() OVER (PARTITION BY budget_id) FROM budget_status {which}"
        f"{_DEAREST_FIRST} LIMIT 1 BY budget_id",
        {"budget": budget_id} if budget_id is not None else None,
    )
    found = [(_standing(row[:-1]), int(row[-1])) for row in cast(list[tuple[Any, ...]], rows)]
    return {standing.budget_id: First(standing, number) for standing, number in found}


def _standing(row: tuple[Any, ...]) -> BudgetStanding:
    budget, vals, key, start, end, amount, spent, held, unpriced, burn, forecast, exhausted, thresholds, at = row[:14]
    unit, credited, amounts, currency, rate = row[14:]
    return BudgetStanding(
        *(budget, tuple(vals), key, as_utc(start), as_utc(end), amount, spent, held, int(unpriced), burn, forecast),
        None if exhausted is None else as_utc(exhausted),
        tuple(thresholds),
        as_utc(at),
        *(unit, credited, tuple(amounts), currency, rate),
    )


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """A period of a budget: of its values the one that used most of its amount, and how many there are. In `unit`."""

    period_key: str
    vals: tuple[str, ...]
    used: Decimal
    amount: Decimal
    values: int
    unit: Unit  # what the budget was stated in


def past_periods(store: StoreClient, budget_id: str, limit: int = 12) -> list[PastPeriod]:
    """Its latest periods, the present one too, newest first. Raises StoreUnavailableError."""
    rows = store.rows(
        # The periods first: of a budget per value one of them has more rows than all that is asked for.
        "SELECT period_key, vals, spent + held, amount, count() OVER (PARTITION BY period_start), unit, currency, rate "
        "FROM budget_history "
        "WHERE budget_id = {budget:String} AND period_start IN (SELECT DISTINCT period_start FROM budget_periods "
        f"WHERE budget_id = {{budget:String}} ORDER BY period_start DESC LIMIT {limit:d}) "
        f"ORDER BY period_start DESC, {_SHARE} DESC, vals "
        "LIMIT 1 BY period_start",
        {"budget": budget_id},
    )
    return [
        PastPeriod(key, tuple(vals), used, amount, int(number), stated_unit(unit, currency, rate))
        for key, vals, used, amount, number, unit, currency, rate in cast(list[tuple[Any, ...]], rows)
    ]


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
        "threshold_amount",
        "direction",
        "spent",
        "held",
        "amount",
        "late",
        *("unit", "currency", "rate"),
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
        "SELECT note FROM budget_definitions WHERE change_id = {change:String} "
        "UNION ALL SELECT '' FROM budget_credits WHERE change_id = {change:String} LIMIT 1",
        {"change": change_id},
    )
    if not rows:
        return None
    note = str(rows[0][0])
    return note.removeprefix(REFUSED) if note.startswith(REFUSED) else ""

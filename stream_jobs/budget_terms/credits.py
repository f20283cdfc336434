"""Credits inside a period: what is added to a budget's amount there, or cut from it, and whose it is.

A budget's periods may be cut otherwise later: by another time zone, or another first day of weeks. Then a credit counts
in the period that has its key, which is the same date in every zone, or else in the one that holds its time.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple, cast

from pydantic import BeforeValidator, Field

from spendstream_schemas.types import MAX_COUNT, PLAIN, Message, Text128, exact_input
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import exact
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.units import WHOLE
from stream_jobs.series.calendar import Calendar, Period, Window
from stream_jobs.series.facts import Values
from stream_jobs.store.client import StoreClient

LOOKED_BACK: Final = 10_000
LOOKED_AHEAD: Final = 400
"""How many periods from now one may lie that is named by its key."""
_BOUND: Final = MAX_COUNT * 1000
_NEAR: Final = tuple(timedelta(hours=hours) for hours in (0, 13, -13, 26, -26))
"""Where a period of this key may be in another zone: the same date begins up to 26 hours earlier or later."""
_HALF: Final = (
    (re.compile(r"[0-9-]+T[0-9]{2}[+-].*"), timedelta(minutes=30)),
    (re.compile(r"[0-9]+-W[0-9]{2}|[0-9-]+\+7d"), timedelta(hours=84)),
)
"""Of hours and weeks, by their keys."""
_HALF_A_DAY: Final = timedelta(hours=12)


class Credit(Message):
    """What a command asks for."""

    amount: Annotated[
        Decimal,
        Field(ge=-_BOUND, le=_BOUND, max_digits=27, decimal_places=12, allow_inf_nan=False),
        BeforeValidator(exact_input),
        PLAIN,
    ]  # in the budget's currency or unit; negative: a cut
    values: Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=4)] = ()
    period: Text128 | None = None  # its key; none: the present one


class CreditKey(NamedTuple):
    """Whose amount it is, and of which period: by its key and its start when it was credited."""

    budget_id: str
    period_key: str
    period_start: datetime
    values: Values

    def period(self, calendar: Calendar) -> Period | None:
        """In which it counts, of a calendar with periods: the one with its key, or else the one that holds the middle
        of the hour, the day or the week that was credited; of what is longer, its first noon. None where the calendar
        has none there."""
        for shift in _NEAR:
            near = calendar.period_at(self.period_start + shift)
            if near is not None and calendar.period_key(near) == self.period_key:
                return near
        half = next((half for form, half in _HALF if form.fullmatch(self.period_key)), _HALF_A_DAY)
        return calendar.period_at(self.period_start + half)


@dataclass(frozen=True, slots=True)
class CreditRow:
    """A row of budget_credits."""

    budget_id: str
    at: datetime
    change_id: str
    period_key: str
    period_start: datetime
    vals: Values
    amount: Decimal
    changed_by: str
    note: str

    @property
    def key(self) -> CreditKey:
        return CreditKey(self.budget_id, self.period_key, self.period_start, self.vals)


class Credits:
    """The sums of all rows. Immutable."""

    def __init__(self, rows: Iterable[CreditRow] = (), before: "Credits | None" = None) -> None:
        self._sums: dict[CreditKey, Decimal] = {} if before is None else dict(before._sums)
        for row in rows:
            self._sums[row.key] = self._sums.get(row.key, Decimal(0)) + row.amount
        self._of: dict[str, list[CreditKey]] = {}
        for key in self._sums:
            self._of.setdefault(key.budget_id, []).append(key)
        self._placed: dict[str, tuple[Calendar, dict[datetime, dict[Values, Decimal]]]] = {}

    def of(self, budget_id: str, calendar: Calendar, period: Period, values: Values) -> Decimal:
        """In the budget's currency or unit."""
        return self._in(budget_id, calendar, period).get(values, Decimal(0))

    def values_in(self, budget_id: str, calendar: Calendar, period: Period) -> set[Values]:
        """Whose amount is another one in this period."""
        return {values for values, amount in self._in(budget_id, calendar, period).items() if amount}

    def _in(self, budget_id: str, calendar: Calendar, period: Period) -> Mapping[Values, Decimal]:
        """By values, what is credited in a period of the calendar."""
        if budget_id not in self._of or isinstance(calendar, Window):
            return {}
        known = self._placed.get(budget_id)
        if known is None or known[0] is not calendar:
            known = self._placed[budget_id] = calendar, self._place(self._of[budget_id], calendar)
        return known[1].get(period.start, {})

    def _place(self, keys: Iterable[CreditKey], calendar: Calendar) -> dict[datetime, dict[Values, Decimal]]:
        """By the start of the period in which each counts."""
        starts: dict[tuple[str, datetime], datetime | None] = {}
        found: dict[datetime, dict[Values, Decimal]] = {}
        for key in keys:
            named = key.period_key, key.period_start
            if named not in starts:
                period = key.period(calendar)
                starts[named] = None if period is None else period.start
            if (start := starts[named]) is not None:
                here = found.setdefault(start, {})
                here[key.values] = here.get(key.values, Decimal(0)) + self._sums[key]
        return found

    def changed(self, before: "Credits") -> set[CreditKey]:
        """Where these differ from those."""
        keys = self._sums.keys() | before._sums.keys()
        return {key for key in keys if self._sums.get(key, 0) != before._sums.get(key, 0)}


def read_credits(store: StoreClient, budget_id: str | None = None) -> list[CreditRow]:
    """All that were taken up, oldest first; of one budget. Raises StoreUnavailableError."""
    which = "WHERE budget_id = {budget:String} " if budget_id is not None else ""
    rows = store.rows(
        "SELECT budget_id, at, change_id, period_key, period_start, vals, amount, changed_by, note "
        f"FROM budget_credits {which}ORDER BY at, change_id",
        {"budget": budget_id} if budget_id is not None else None,
    )
    return [
        CreditRow(budget, as_utc(at), change, key, as_utc(start), tuple(vals), amount, by, note)
        for budget, at, change, key, start, vals, amount, by, note in cast(list[tuple[Any, ...]], rows)
    ]


def credited_period(budget: Budget, calendar: Calendar, credit: Credit, now: datetime) -> Period:
    """The period that it is meant for. Raises ConfigError for what cannot be credited."""
    if len(credit.values) != len(budget.per) or not all(credit.values):
        wanted = " ".join(f"{name}=..." for name in budget.per)
        raise ConfigError(
            f"a budget per value is credited for one of them: --values {wanted}" if wanted else "no values"
        )
    if not credit.amount:
        raise ConfigError("an amount of 0 credits nothing")
    if budget.measure in WHOLE and credit.amount != credit.amount.to_integral_value():
        raise ConfigError(f"a quota of {budget.measure} has whole numbers, not {exact(credit.amount)}")
    if isinstance(calendar, Window):
        raise ConfigError("a rolling window has no periods that could be credited: set another amount")
    period = calendar.period_at(now) if credit.period is None else named(calendar, credit.period, now)
    if period is None:
        raise ConfigError("it has no period now: name one with --period")
    return period


def named(calendar: Calendar, key: str, now: datetime) -> Period:
    """The period that has this key, not too far from now. Raises ConfigError."""
    found = calendar.period_at(now)
    if found is None:  # a list of dates that ended, or a total that has not begun
        around = (calendar.period_at(now + timedelta(days=days)) for days in range(-3_660, 3_660, 7))
        found = next((one for one in around if one is not None), None)
    if found is None:
        raise ConfigError("it has no periods at all")
    example, back, ahead = calendar.period_key(found), found, found
    for _ in range(LOOKED_BACK):
        if calendar.period_key(back) == key:
            return back
        if (before := calendar.previous(back)) is None:
            break
        back = before
    for _ in range(LOOKED_AHEAD):
        if (after := calendar.next(ahead)) is None:
            break
        ahead = after
        if calendar.period_key(ahead) == key:
            return ahead
    raise ConfigError(f"it has no period {key!r}; periods are named like {example}")


def as_row(row: CreditRow) -> dict[str, Any]:
    """For the table."""
    return {name: getattr(row, name) for name in CreditRow.__dataclass_fields__} | {"vals": list(row.vals)}

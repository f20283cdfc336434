"""Amounts and periods of budgets for a forecast from files: budgets.yaml, or a CSV of a few columns."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import open_file, printable
from stream_jobs.base.instants import time_zone
from stream_jobs.series import calendar
from stream_jobs.series.calendar import Calendar

if TYPE_CHECKING:
    from stream_jobs.budget_terms.document import Budget
    from stream_jobs.budget_terms.resolve import Budgets

YAML: Final = (".yaml", ".yml")
NAMES: Final = ("budget", "series", "id")
COLUMNS: Final = ("amount", "period", "timezone")
PERIODS: Final[dict[str, Callable[[ZoneInfo], Calendar]]] = {
    "hour": calendar.hours,
    "day": calendar.days,
    "week": calendar.weeks,
    "month": calendar.months,
    "quarter": calendar.quarters,
    "year": calendar.years,
}
MOST_BYTES: Final = 64 * 1024 * 1024
_FORM: Final = "a line with names comes first: budget,amount and perhaps period,timezone"


@dataclass(frozen=True, slots=True)
class Planned:
    """A budget, and under which name its spend is."""

    name: str
    calendar: Calendar
    zone: ZoneInfo
    amount: Decimal  # of every period
    in_force: Callable[[datetime], bool] = lambda _at: True
    note: str = ""  # what the files cannot say of it


def read_amounts(path: Path, spent: list[str], told: Callable[[str], None] = lambda _note: None) -> list[Planned]:
    """Of budgets.yaml, or of a CSV: in the file's order. `spent`: the names of series, among which a budget per value
    has one for each: its id, a slash and the value. `told` hears what people should know of how the file was read.
    Raises ConfigError."""
    if path.suffix.lower() in YAML:
        from stream_jobs.budget_terms.resolve import read_budgets

        budgets = read_budgets(path)
        return [planned for budget in budgets for planned in _of_budget(budgets, budget, spent)]
    return list(_of_csv(path, told))


def _of_budget(budgets: "Budgets", budget: "Budget", spent: list[str]) -> Iterator[Planned]:
    zone, cut = budgets.zone_of(budget), budgets.calendar_of(budget)
    note = "what earlier periods leave to this one is not known" if budget.carry_over else ""

    def in_force(at: datetime) -> bool:
        return budgets.in_force(budget, at)

    if not budget.per:
        yield Planned(budget.id, cut, zone, budget.amount, in_force, note)
        return
    own = [name for name in spent if name.startswith(f"{budget.id}/")]
    for name in own:
        values = tuple(name.removeprefix(f"{budget.id}/").split("/"))
        if len(values) == len(budget.per):
            yield Planned(name, cut, zone, budget.amount_of(values), in_force, note)
    if not own:
        note = f"it is a budget per {', '.join(budget.per)}: name its series {budget.id}/VALUE"
        yield Planned(budget.id, cut, zone, budget.amount, in_force, note)


def _of_csv(path: Path, told: Callable[[str], None]) -> Iterator[Planned]:
    with open_file(path) as stream:
        raw = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ConfigError(f"{path.name} has more than {MOST_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is no UTF-8: convert it") from None
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ConfigError(f"{path.name}: {error}") from None
    heads = [head.strip().lower() for head in rows[0][1]] if rows else []
    named = [head for head in heads if head in NAMES]
    if len(named) != 1 or heads.count("amount") != 1:
        raise ConfigError(f"{path.name}, line 1: {_FORM}; its columns are: {printable(', '.join(heads))[:500]}")
    if twice := sorted({head for head in heads if heads.count(head) > 1}):
        raise ConfigError(f"{path.name}, line 1: {printable(', '.join(twice))[:500]} more than once: which is meant?")
    if ignored := [head for head in heads if head not in (*NAMES, *COLUMNS)]:
        told(f"ignored: {printable(', '.join(ignored))[:500]}")
    seen: set[str] = set()
    for number, row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        try:
            if len(row) > len(heads):
                raise ValueError(
                    f"{len(row)} cells, and the first line has {len(heads)}: write thousands without a comma"
                )
            cells = dict(zip(heads, (cell.strip() for cell in row), strict=False))
            planned = _of_row(cells, cells.get(named[0], ""))
            if planned.name in seen:
                raise ValueError(f"budget {planned.name!r} is there twice")
        except ValueError as error:
            raise ConfigError(f"{path.name}, line {number}: {error}") from None
        seen.add(planned.name)
        yield planned
    if not seen:
        raise ConfigError(f"{path.name} has no rows below its first line")


def _of_row(cells: dict[str, str], name: str) -> Planned:
    """Raises ValueError."""
    if not name:
        raise ValueError("a budget without a name")
    text = cells.get("amount", "")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"amount {text!r} is no number") from None
    if not amount.is_finite() or not 0 <= amount <= 10**15:
        raise ValueError(f"amount {text!r} is not between 0 and 10^15")
    period = (cells.get("period") or "month").lower()
    if period not in PERIODS:
        raise ValueError(f"period {period!r} is none of {', '.join(PERIODS)}; budgets.yaml has more")
    zone = time_zone(cells.get("timezone") or "UTC")
    return Planned(name, PERIODS[period](zone), zone, amount)

"""Forecasts on a terminal: of the total and of every budget, and one series in full."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from rich.text import Text

from stream_jobs.base.readable import clock, exact, instant, money, percent, reached
from stream_jobs.forecasts.drivers_ahead import DriversAhead, drivers_table
from stream_jobs.forecasts.overrides import OfSeries, Override
from stream_jobs.forecasts.read import COST, Ahead, Band, BudgetAhead, Made, OneSeries, Runs
from stream_jobs.forecasts.windows import Window
from stream_jobs.output.console import Console
from stream_jobs.output.tables import Facts, Table

MOST_ROWS: Final = 60
BAR: Final = 24
"""Columns of a drawn band."""
LIMIT: Final = "┊"
"""Of what is drawn: what may be spent."""
NOT_HELD: Final = "spent is without what is held for usage that has no price: 'spendstream budgets list' has both"
LIKELY: Final = 0.5
_REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Outlined:
    """A series and what it comes to from where its forecast begins to the end of what was asked for."""

    series: OneSeries
    steps: int
    end: Ahead | None  # None: refused
    window: Window | None = None  # of a budget that is one


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that is said without a question."""

    runs: Runs
    totals: Sequence[Outlined]
    budgets: Sequence[BudgetAhead]  # whose periods have an end
    endless: Sequence[Outlined]  # of the others: windows, and what has no end
    notes: Sequence[str] = ()
    drivers: Sequence[DriversAhead] = ()  # of the total


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that is said of a series."""

    series: OneSeries
    ahead: Sequence[Ahead]
    budget: BudgetAhead | None
    overrides: Sequence[Override]
    drivers: Sequence[DriversAhead] = ()


def soonest(budgets: Sequence[BudgetAhead]) -> list[BudgetAhead]:
    """Which will be gone first comes first; of those that last, the likeliest to be gone."""
    far = max((one.period_end for one in budgets), default=None)

    def place(one: BudgetAhead) -> tuple[bool, datetime | None, float, str]:
        gone = one.gone[1]
        return gone is None, gone or far, -(one.probability or 0.0), one.name

    return sorted(budgets, key=place)


def print_overview(console: Console, found: Overview) -> None:
    if found.runs.why_not:
        console.print(Text(found.runs.why_not))
    for made in (found.runs.hour, found.runs.day):
        if made is not None:
            console.print(Text(as_of(made)), style="yellow" if made.stale_since else "dim")
    for note in found.notes:
        console.print(Text(note))
    if found.totals:
        console.print(series_table("total", found.totals))
    for one in found.drivers[1:2] or found.drivers:  # of about a month
        console.print(Text(one.words))
    if found.budgets:
        console.print(budgets_table(soonest(found.budgets)[:MOST_ROWS]))
    if found.endless:
        console.print(windows_table(first_gone(found.endless)[:MOST_ROWS]))
    if found.budgets or found.endless:
        console.print(NOT_HELD, style="dim")
    for many in (found.budgets, found.endless):
        if len(many) > MOST_ROWS:
            console.print(f"the first {MOST_ROWS} of {len(many)}; --json has all", style="dim")


def as_of(made: Made) -> str:
    """Of which run it is, and since when it is stale and why."""
    text = f"by the {made.grain}: forecast at {instant(made.run)} UTC, of what happened by {instant(made.known_until)}"
    if made.stale_since is None:
        return text
    return f"{text}; STALE since {instant(made.stale_since)}: {made.stale_why}"


def budgets_table(budgets: Sequence[BudgetAhead]) -> Table:
    """A row each: what its period comes to, and when the amount will be gone."""
    table = Table(header_style="bold")
    for column in ("budget", "until (UTC)", "spent", "of", "P10", "P50", "P90", "breach", "gone (UTC)", "label"):
        left = column in ("budget", "until (UTC)", "gone (UTC)", "label")
        table.add_column(column, justify="left" if left else "right")
    for one in budgets:
        band = [one.unit.text(figure) for figure in one.total] if one.total else [""] * 3
        likely = one.gone[1] is not None
        table.add_row(
            Text(one.name),
            instant(one.period_end),
            one.unit.text(one.spent),
            one.unit.text(one.amount),
            *band,
            Text(chance(one), "red" if (one.probability or 0.0) > LIKELY else ""),
            Text(gone(one), "red" if likely else ""),
            Text(one.why if one.label == _REFUSED else one.why_another or one.label),
        )
    return table


def chance(one: BudgetAhead) -> str:
    """That more than the amount is spent; of an amount that is another one by now nothing is said."""
    if one.probability is None or one.why_another:
        return ""
    return reached(Decimal(str(one.probability)), 1)


def gone(one: BudgetAhead) -> str:
    """When the amount will be spent, in words."""
    if one.total is None or one.why_another:
        return ""
    return in_words(one.spent, one.amount, one.gone, "lasts")


def in_words(spent: Decimal, amount: Decimal, gone: Sequence[datetime | None], lasts: str) -> str:
    """When an amount is spent: `gone` by P10, P50 and P90."""
    if spent > amount:
        return "gone"
    early, middle = gone[0], gone[1]
    if middle is not None:
        return instant(middle)
    return f"{lasts} (1 in 10: {instant(early)})" if early is not None else lasts


def series_table(head: str, found: Sequence[Outlined]) -> Table:
    table = Table(header_style="bold")
    for column in (head, "next", "P10", "P50", "P90", "label"):
        table.add_column(column, justify="right" if column.startswith("P") else "left")
    for one in found:
        series = one.series
        band = [figure(series, amount) for amount in one.end.total] if one.end else [""] * 3
        grain = series.made.grain
        length = f"{one.steps} {grain}{'s' if one.steps != 1 else ''}" if one.end else ""
        label = series.why if series.label == _REFUSED else series.label
        table.add_row(Text(series.series.words), length, *band, Text(label))
    return table


def first_gone(found: Sequence[Outlined]) -> list[Outlined]:
    """What is gone first comes first; of the rest, what will be closest to it."""

    def place(one: Outlined) -> tuple[bool, float, float, OfSeries]:
        window = one.window
        if window is None:
            return True, 0.0, 0.0, one.series.series
        is_gone, at = window.spent > window.amount, window.gone[1]
        full = max((float(band.p50 / window.amount) for band in window.bands), default=0.0) if window.amount else 0.0
        return not is_gone and at is None, 0.0 if is_gone or at is None else at.timestamp(), -full, one.series.series

    return sorted(found, key=place)


def windows_table(found: Sequence[Outlined]) -> Table:
    """A row each: what a window holds and will hold, or what comes to a budget that has no end."""
    table = Table(header_style="bold")
    for column in ("budget", "within", "spent", "of", "in", "P10", "P50", "P90", "gone (UTC)", "label"):
        left = column in ("budget", "within", "in", "gone (UTC)", "label")
        table.add_column(column, justify="left" if left else "right")
    for one in found:
        series, window = one.series, one.window
        name = "/".join((series.series.budget_id, *series.series.vals))
        label = Text(series.why if series.label == _REFUSED else series.label)
        if window is None or not window.bands:
            band = [figure(series, amount) for amount in one.end.total] if one.end else [""] * 3
            table.add_row(Text(name), "", "", "", f"{one.steps} {series.made.grain}s", *band, "", label)
            continue
        unit, amounts = window.unit, window.bands[-1]
        length = f"{len(window.bands)} {series.made.grain}s"
        told = in_words(window.spent, window.amount, window.gone, f"lasts {length}")
        table.add_row(
            *(Text(name), "all of it" if window.hours is None else f"{window.hours} hours"),
            *(unit.text(window.spent), unit.text(window.amount), length, *map(unit.text, amounts)),
            *(Text(told, "" if told.startswith("lasts") else "red"), label),
        )
    return table


def figure(one: OneSeries, amount: Decimal) -> str:
    """In what the series counts."""
    if one.series.measure == COST:
        return money(amount)
    return f"{exact(amount.quantize(Decimal('0.01')))} {one.series.measure.replace('_', ' ')}"


def print_series(console: Console, shown: Shown) -> None:
    """How it is forecast, how good that was, the steps with their bands, what people expect."""
    console.print(Text(f"{shown.series.series.words}, by the {shown.series.made.grain}", "bold"))
    console.print(Facts((name, text) for name, text in facts_of(shown) if text))
    if shown.drivers:
        console.print(drivers_table(shown.drivers))
    if shown.budget is not None:
        console.print(budgets_table([shown.budget]))
    if shown.ahead:
        console.print(steps_table(shown.series, shown.ahead))
    if shown.overrides:
        console.print(overrides_table(shown.overrides))


def facts_of(shown: Shown) -> Iterator[tuple[str, str]]:
    one = shown.series
    yield "as of", as_of(one.made)
    yield "label", one.label
    yield "why", one.why
    yield "method", one.method
    yield "members", ", ".join(one.members)
    yield "history", f"{one.known:,} {one.made.grain}s are known"
    yield "so far", quality(one)
    if shown.ahead:
        last = shown.ahead[-1]
        band = " to ".join(figure(one, amount) for amount in (last.total.p10, last.total.p90))
        count = len(shown.ahead)
        yield "in all", f"{figure(one, last.total.p50)} in the next {count} {one.made.grain}s, {band}"


def quality(one: OneSeries) -> str:
    """How good earlier forecasts of the series were."""
    if not one.scored:
        return "nothing that was forecast is over yet"
    parts = [f"{one.scored:,} steps that are over"]
    if one.error is not None:
        parts.append(f"off by {one.error:.2g} of what the naive forecast is off")
    if one.coverage is not None:
        parts.append(f"{percent(Decimal(str(one.coverage)), 1)} between P10 and P90 (80 % are meant)")
    return ", ".join(parts)


def steps_table(one: OneSeries, ahead: Sequence[Ahead]) -> Table:
    """A row each; the band is drawn beside it."""
    table = Table(header_style="bold")
    for column in ("from (UTC)", "P10", "P50", "P90", ""):
        table.add_column(column, justify="right" if column.startswith("P") else "left")
    most = max(step.step.p90 for step in ahead)
    for step in ahead:
        table.add_row(instant(step.at), *(figure(one, amount) for amount in step.step), Text(drawn(step.step, most)))
    return table


def drawn(band: Band, most: Decimal, wide: int = BAR, limit: Decimal | None = None) -> str:
    """The band as a line of so many characters, from 0 to `most`: hatched, its median solid; and the limit."""
    if most <= 0:
        return ""
    low, middle, high = (_place(amount, most, wide) for amount in band)
    line = ["█" if place == middle else "▒" if low <= place <= high else " " for place in range(wide)]
    if limit is not None and (at := _place(limit, most, wide)) != middle:
        line[at] = LIMIT
    return "".join(line).rstrip()


def _place(amount: Decimal, most: Decimal, wide: int) -> int:
    return min(wide - 1, max(0, int(amount * wide / most)))


def overrides_table(overrides: Sequence[Override]) -> Table:
    """What people expect, beside what the model said then."""
    table = Table("expected by", "from (UTC)", "to (UTC)", "amount", "model then", "note", header_style="bold")
    for one in overrides:
        model = money(one.model.p50) if one.model else ""
        table.add_row(Text(one.by), clock(one.starts_at), clock(one.ends_at), money(one.amount), model, Text(one.note))
    return table

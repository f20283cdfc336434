"""The report's summary for a terminal."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream_jobs import readable as text
from stream_jobs.report.data import Breakdown, ReportData, Share

_ROWS: Final = 6
_BAR_CELLS: Final = 16
_SHOWN: Final = {"team": "Team", "model": "Model", "feature": "Feature", "user_id": "User"}


def render_terminal(data: ReportData, console: Console) -> None:
    """Print totals, the largest teams, models and features, and what is unallocated, unpriced and quarantined."""
    totals = data.totals
    console.print()
    console.print(
        Text.assemble(
            ("AI spend ", "bold"),
            f"{text.instant(data.start)} to {text.instant(data.end)} UTC ({text.duration(data.end - data.start)})",
        )
    )
    if data.empty:
        console.print("  Nothing is booked in this period. `spendstream status` says whether the pipeline runs;")
        console.print("  `spendstream demo` or `spendstream replay FILE` sends traffic through it.")
    else:
        console.print(_summary(data))
        for span in data.unusual:
            drivers = ", ".join(f"{d.dimension} {text.name_of(d.dimension, d.name)}" for d in span.drivers)
            line = (
                f"  ▲ {text.instant(span.start)} to {span.end:%H:%M}: {text.money(span.cost)} where "
                f"{text.money(span.usual_cost)} is usual" + (f" ({drivers})" if drivers else "")
            )
            console.print(Text(line, "yellow"))
        for dimension, title in _SHOWN.items():
            console.print(_table(data.breakdowns[dimension], title))
        if totals.unpriced_events:
            worst = ", ".join(f"{u.provider}/{u.model} ({u.reasons})" for u in data.unpriced[:3])
            console.print(
                Text(f"  unpriced, not in the costs: {text.count(totals.unpriced_events)} events: {worst}", "red")
            )
        if totals.unallocated_events:
            worst = ", ".join(u.source for u in data.unallocated[:3])
            share = text.percent(totals.unallocated_cost, totals.effective_cost)
            console.print(
                Text(
                    f"  unallocated: {text.money(totals.unallocated_cost)} ({share}) in "
                    f"{text.count(totals.unallocated_events)} events, most by {worst}",
                    "yellow",
                )
            )
    if data.quarantined:
        number = sum(item.messages for item in data.quarantined)
        reasons = ", ".join(dict.fromkeys(item.reason for item in data.quarantined))
        console.print(Text(f"  quarantined: {text.count(number)} messages ({reasons})", "yellow"))


def _summary(data: ReportData) -> Table:
    totals = data.totals
    grid = Table.grid(padding=(0, 3))
    grid.add_row("  effective cost", "contracted", "list", "events", "prompt cache hits", "price book", style="dim")
    grid.add_row(
        Text(f"  {text.money(totals.effective_cost)}", "bold green"),
        text.money(totals.contracted_cost),
        text.money(totals.list_cost),
        text.count(totals.events),
        text.percent(totals.cache_read_tokens, totals.input_tokens),
        ", ".join(data.price_book_versions[:2]),
    )
    return grid


def _table(breakdown: Breakdown, title: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=True)
    table.add_column("", width=1)
    table.add_column(title, overflow="ellipsis", no_wrap=True, min_width=24, max_width=40)
    for column in ("effective cost", "share", "events"):
        table.add_column(column, justify="right")
    table.add_column("", width=_BAR_CELLS)
    shown = breakdown.shares[:_ROWS]
    for share in shown:
        table.add_row(*_cells(share, text.name_of(breakdown.dimension, share.name), breakdown))
    more = len(breakdown.shares) - len(shown) + breakdown.rest_groups
    if more:
        total = breakdown.total
        rest = Share(
            "",
            total.effective_cost - sum(share.effective_cost for share in shown),
            total.contracted_cost - sum(share.contracted_cost for share in shown),
            total.list_cost - sum(share.list_cost for share in shown),
            total.events - sum(share.events for share in shown),
            total.unpriced_events - sum(share.unpriced_events for share in shown),
        )
        table.add_row(*_cells(rest, text.others(more), breakdown), style="dim")
    return table


def _cells(share: Share, name: str, breakdown: Breakdown) -> list[Text]:
    largest = max((item.effective_cost for item in breakdown.shares), default=share.effective_cost)
    cells = int(share.effective_cost * _BAR_CELLS / largest) if largest > 0 and share.effective_cost > 0 else 0
    return [
        Text(""),
        Text(name),
        Text(text.money(share.effective_cost)),
        Text(text.percent(share.effective_cost, breakdown.total.effective_cost)),
        Text(text.count(share.events)),
        Text("█" * min(cells, _BAR_CELLS), "blue"),
    ]

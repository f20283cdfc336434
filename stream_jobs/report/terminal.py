"""The report's summary for a terminal."""

from typing import Final

from rich.console import Group
from rich.text import Text

from stream_jobs.base import readable as text
from stream_jobs.output.console import Console
from stream_jobs.output.tables import Lines, Table
from stream_jobs.report.data import (
    AlertLine,
    Breakdown,
    BudgetReport,
    BudgetStanding,
    ReportData,
    Share,
    Unusual,
    Watched,
)

_ROWS: Final = 6
_BAR_CELLS: Final = 16
_ALERTS: Final = 10
_SEVERITY_STYLES: Final = {"critical": "bold red", "error": "red", "warning": "yellow"}
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
        _unusual(data, console)
        for dimension, title in _SHOWN.items():
            console.print(_table(data.breakdowns[dimension], title))
        console.print(_stack(data))
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
    _budgets(data.watched, console)
    _alerts(data.watched, console)
    if data.quarantined:
        number = sum(item.messages for item in data.quarantined)
        reasons = ", ".join(dict.fromkeys(item.reason for item in data.quarantined))
        console.print(Text(f"  quarantined: {text.count(number)} messages ({reasons})", "yellow"))


def _unusual(data: ReportData, console: Console) -> None:
    """What was found, and why; or why nothing is said."""
    for time in data.unusual.times:
        found = time.found
        mark = f" [{found.mark}]" if found.mark else ""
        when = f"{text.instant(found.starts_at)} to " + (
            text.end_of(found.starts_at, found.ends_at) if found.ends_at else "now"
        )
        style = _SEVERITY_STYLES.get(found.severity, "")
        console.print(Text(f"  ▲ {found.severity}, {when}{mark}: {time.headline}", style))
        for why in time.why:
            console.print(Text(f"      {why}"))
        console.print(Text(f"      spendstream anomalies show {found.finding_id}", "dim"))
    console.print(Text(f"  {unusual_note(data.unusual)}", "dim"))


def unusual_note(unusual: Unusual) -> str:
    """What is to be said beside the findings, or in place of them."""
    if unusual.judged == "never":
        return (
            "Nobody knows whether anything was unusual: the job anomalies has never run (spendstream worker anomalies)."
        )
    if unusual.judged == "too_early":
        return "Whether anything was unusual cannot be told yet: no series of this period had enough history."
    more = unusual.all_times - len(unusual.times)
    notes = [f"{text.others(more)} in spendstream anomalies list --all"] * (more > 0)
    notes += [f"{text.count(unusual.silenced)} that were planned or expected"] * (unusual.silenced > 0)
    if not unusual.times:
        silenced = f", but for what was planned or expected ({text.count(unusual.silenced)})"
        return f"Nothing was unusual{silenced if unusual.silenced else ' in this period'}."
    return f"Beside these: {', '.join(notes)}." if notes else "Nothing else was unusual."


def budget_period(budget: BudgetReport, standing: BudgetStanding) -> str:
    """'the last 1 day' or '2026-03-01 00:00 to 2026-04-01 00:00'."""
    if budget.window is not None:
        return f"the last {text.duration(budget.window)}".replace("the last 1 ", "the last ")
    return f"{text.instant(standing.period_start)} to {text.instant(standing.period_end)}"


def _budgets(watched: Watched, console: Console) -> None:
    console.print()
    if not watched.budgets:
        if watched.defined:
            console.print(f"Budgets: none of the {text.count(watched.defined)} stands anywhere in this period.")
        else:
            console.print(
                "Budgets: there are none. To make one, write budgets.yaml into the config folder (see "
                "stream_jobs/budget_terms/example_budgets.yaml) or use spendstream budgets set FILE."
            )
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=True)
    table.add_column("", width=1)
    table.add_column("Budget", overflow="ellipsis", no_wrap=True, min_width=24, max_width=40)
    for column in ("used", "amount", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("crossed (UTC)")
    for budget in watched.budgets:
        if budget.per:
            told = f"{text.count(budget.crossed_values)} of {text.count(budget.all_values)} crossed"
            table.add_row("", Text("  " * budget.depth + budget.name), "", "", "", Text(told))
        for standing in budget.standings:
            table.add_row("", *_standing(budget, standing))
    console.print(table)


def _standing(budget: BudgetReport, standing: BudgetStanding) -> list[Text]:
    name = "  " + ", ".join(standing.values) if budget.per else budget.name
    style = "bold red" if standing.over else "yellow" if standing.crossed else ""
    used, amount = standing.unit.bare(standing.used, standing.amount)
    return [
        Text("  " * budget.depth + name),
        Text(used, style),
        Text(amount),
        Text(text.reached(standing.used, standing.amount), style),
        Text(_crossed(standing), style),
    ]


def _crossed(standing: BudgetStanding) -> str:
    return ", ".join(f"{standing.threshold(item)} {item.at:%m-%d %H:%M:%S}" for item in standing.crossed)


def _alerts(watched: Watched, console: Console) -> None:
    console.print()
    if not watched.alerts:
        console.print("Alerts: none was opened in this period.")
    else:
        console.print(Text(f"   Alerts opened in this period: {text.count(watched.all_alerts)}", "dim"))
        for alert in watched.alerts[:_ALERTS]:
            console.print(_alert(alert))
        if watched.all_alerts > _ALERTS:
            console.print(f"   and {text.others(watched.all_alerts - _ALERTS)}: spendstream alerts list")
    for line in watched.receivers:
        failed = f", {text.count(line.failed)} attempts failed: {line.problem}" if line.failed else ""
        told = f"   receiver {line.receiver}: {text.count(line.sent)} notifications sent{failed}"
        console.print(Text(told, "yellow" if failed else ""))


def _alert(alert: AlertLine) -> Group:
    """What and how grave, and a second line of when, how much and who."""
    state = alert.status + (f" by {alert.acknowledged_by}" if alert.acknowledged_by else "")
    state += f" at {text.end_of(alert.opened_at, alert.resolved_at, seconds=True)}" if alert.resolved_at else ""
    told = ", ".join(f"{item.receiver} after {text.took(item.at - alert.opened_at)}" for item in alert.told)
    opened, money = text.clock(alert.opened_at), text.money(alert.money)
    return Lines(
        (
            Text(f"   {alert.severity}: {alert.summary}", _SEVERITY_STYLES.get(alert.severity, "")),
            f"     opened {opened}, {money} at stake, {state}; told: {told or 'nobody'}",
        )
    )


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


def _stack(data: ReportData) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=True)
    table.add_column("", width=1)
    table.add_column("Cost stack", overflow="ellipsis", no_wrap=True, min_width=24, max_width=40)
    for column in ("effective cost", "share", "events"):
        table.add_column(column, justify="right")
    for level in data.stack:
        name = f"{text.name_of('category', level.category)}: {level.subcategory or 'other'}"
        share = text.percent(level.effective_cost, data.totals.effective_cost)
        table.add_row("", Text(name), text.money(level.effective_cost), share, text.count(level.events))
    return table


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

"""Budgets and alerts of a report: where budgets stood, what people were told, and whether they got it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from stream_jobs.base.instants import as_utc
from stream_jobs.budget_terms.notes import REFUSED
from stream_jobs.budget_terms.units import Unit
from stream_jobs.budgets.standing import WINDOW_KEY
from stream_jobs.budgets.status import stated_unit
from stream_jobs.report.data import AlertLine, BudgetReport, BudgetStanding, Crossed, ReceiverLine, Told, Watched

Rows = Callable[..., list[tuple[Any, ...]]]
"""(name of the query, parameters) -> its rows; the period's start is filled in."""
TOP_VALUES: Final = 5
TOP_ALERTS: Final = 30


def watched(rows: Rows, until: datetime) -> Watched:
    """What was known of budgets and alerts from the report's start up to `until`."""
    (defined,) = rows("budgets_defined", refused=REFUSED)[0]
    standings = rows("budgets", until=until, window=WINDOW_KEY, refused=REFUSED, rows=TOP_VALUES)
    alerts = rows("alerts", until=until, rows=TOP_ALERTS)
    told = rows("alerts_told", alerts=[row[0] for row in alerts]) if alerts else []
    return Watched(
        until=until,
        budgets=tuple(_in_order([_budget(group) for group in _by_budget(standings)])),
        defined=defined,
        alerts=tuple(_alert(row, told) for row in alerts),
        all_alerts=alerts[0][-1] if alerts else 0,
        receivers=tuple(_receiver(*row) for row in rows("deliveries", until=until)),
    )


def _by_budget(rows: Sequence[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    return list(groups.values())


def _budget(rows: Sequence[tuple[Any, ...]]) -> BudgetReport:
    budget_id, name, owner, parent, per, _, is_window, hours, *_ = rows[0]
    return BudgetReport(
        *(budget_id, name, owner, parent),
        depth=0,
        per=tuple(per),
        window=timedelta(hours=hours) if is_window and hours else None,
        standings=tuple(_standing(stated_unit(*row[20:23]), row[5], *row[8:17]) for row in rows),
        all_values=rows[0][17],
        crossed_values=rows[0][18],
        over_values=rows[0][19],
    )


def _standing(
    unit: Unit,
    values: Sequence[str],
    start: datetime,
    end: datetime,
    amount: Decimal,
    used: Decimal,
    held: Decimal,
    unpriced: int,
    over: bool,
    crossed: Sequence[tuple[Decimal, Decimal, datetime]],
    updated_at: datetime,
) -> BudgetStanding:
    return BudgetStanding(
        *(tuple(values), as_utc(start), as_utc(end), amount, used, held, unpriced, bool(over)),
        tuple(Crossed(percent, as_utc(at), of) for percent, of, at in crossed),
        as_utc(updated_at),
        unit,
    )


def _in_order(budgets: Sequence[BudgetReport]) -> list[BudgetReport]:
    """Children below their parents, with their depth; those whose parent does not stand anywhere are topmost."""
    ids = {budget.budget_id for budget in budgets}
    found: list[BudgetReport] = []

    def visit(parent: str, depth: int) -> None:
        for budget in budgets:
            if (budget.parent if budget.parent in ids else "") == parent:
                found.append(replace(budget, depth=depth))
                visit(budget.budget_id, depth + 1)

    visit("", 0)
    seen = {budget.budget_id for budget in found}  # parents of different times can go round in a circle
    return found + [budget for budget in budgets if budget.budget_id not in seen]


def _alert(row: tuple[Any, ...], told: Sequence[tuple[Any, ...]]) -> AlertLine:
    alert_id, episode, opened, kind, severity, summary, owner, money, status, silenced, by, resolved, why, _ = row
    return AlertLine(
        *(alert_id, as_utc(opened), kind, severity, summary, owner, money),
        status="silenced" if silenced else status,
        acknowledged_by=by,
        resolved_at=None if resolved is None else as_utc(resolved),
        resolution=why,
        told=tuple(
            Told(receiver, as_utc(at)) for which, when, receiver, at in told if (which, when) == (alert_id, episode)
        ),
    )


def _receiver(receiver: str, sent: int, failed: int, problem: str, last_sent: datetime) -> ReceiverLine:
    return ReceiverLine(receiver, sent, failed, problem, as_utc(last_sent) if sent else None)

"""What the demo shows of each alert, and how long after the event that caused it the alert was there."""

import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from rich.text import Text

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.base.readable import took
from stream_jobs.cli.demo_receiver import Arrived, DemoReceiver
from stream_jobs.output.console import Console
from stream_jobs.output.tables import Lines, Table
from stream_jobs.runtime.retry import wait_until

if TYPE_CHECKING:
    from spendstream_traffic.replay.delivery import Timed
    from stream_jobs.budget_terms.document import BudgetsDocument
    from stream_jobs.store.client import StoreClient

WAIT_S: Final = 30.0
_POLL_S: Final = 0.1
_COLOURS: Final = {"critical": "bold red", "error": "bold red", "warning": "bold yellow"}
DEPARTMENT: Final = "products"


class SentTimes:
    """Notes when each message goes out (seconds since 1970, by event id)."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def noting(self, messages: "Iterable[Timed]") -> "Iterator[Timed]":
        for message in messages:
            key = getattr(message[0], "key", b"")
            self._at[key.decode()] = time.time()
            yield message

    def of(self, event_id: str) -> float | None:
        return self._at.get(event_id)


class AlertPrinter:
    """Prints a notification: what happened, how much, why, what to do, and how fast it came."""

    def __init__(self, console: Console, store: "StoreClient", sent: SentTimes, budgets: "BudgetsDocument") -> None:
        """`store` is used by the thread that prints, and by no other."""
        self._console = console
        self._store = store
        self._sent = sent
        self._budgets = {budget.id: budget for budget in budgets.budgets}
        self._held = budgets.unpriced_upper_bound_usd

    def __call__(self, arrived: Arrived) -> None:
        data = arrived.data
        alerts = data["alerts"]
        first = alerts[0]
        lines = Table.grid(padding=(0, 2))
        lines.add_column(style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        if first["causes"]:
            lines.add_row("  why", Lines(first["causes"]))
        if data["action"] != "resolve" and first["action"]:
            lines.add_row("  what to do", Text(first["action"]))
        if (took_s := self._took_s(first, arrived.at)) is not None:
            lines.add_row(
                "  here after",
                Text(f"{took(timedelta(seconds=took_s))}, from the sending of the event that crossed the line"),
            )
        headline = Text(f"▲ {data['headline']}", _COLOURS.get(data["severity"], "bold"))
        self._console.print(headline)
        self._console.print(lines)
        self._console.print()

    def _took_s(self, alert: dict[str, Any], at: float) -> float | None:
        """From the sending of the event that crossed the alert's highest threshold until it arrived; None: unknown."""
        try:
            sent = self._sent.of(self._crossing_event(alert))
        except StoreUnavailableError:
            return None
        return None if sent is None else at - sent

    def _crossing_event(self, alert: dict[str, Any]) -> str:
        """Its id; empty when it cannot be told."""
        from stream_jobs.store.queries import INTERNAL, named_queries

        budget_id, user = alert["labels"].get("budget", ""), alert["labels"].get("user_id", "")
        budget = self._budgets.get(budget_id)
        if budget is None:
            return ""
        percent = self._store.rows(
            "SELECT max(threshold) FROM budget_crossings WHERE budget_id = {budget:String} "
            "AND arrayStringConcat(vals) = {user:String} AND kind = 'actual'",
            {"budget": budget_id, "user": user},
        )[0][0]
        team = budget.scope.get("team")
        parameters: dict[str, object] = {
            "user": user,
            "teams": list(team.any_of or ()) if team is not None else [],
            "held_usd": f"{self._held:f}",
            "amount_usd": f"{budget.amount * cast(Decimal, percent) / 100:f}",
        }
        rows = self._store.rows(named_queries(INTERNAL)["budget_crossing_event"].sql, parameters)
        return str(rows[0][0]) if rows else ""


def wait_until_told(store: "StoreClient", receiver: DemoReceiver, budgets: "BudgetsDocument") -> bool:
    """Until the budgets have counted the whole ledger and the receiver has heard of all that was crossed.

    False after WAIT_S.
    """
    department = next(budget for budget in budgets.budgets if budget.id == DEPARTMENT)
    teams = {"teams": list(department.scope["team"].any_of or ())}
    counted = (
        "SELECT (SELECT sum(ifNull(effective_cost, 0)) FROM ledger WHERE has({teams:Array(String)}, team)) = "
        f"(SELECT sum(spent) FROM budget_status WHERE budget_id = '{DEPARTMENT}')"
    )
    crossed = "SELECT uniqExact(budget_id, vals) FROM budget_crossings WHERE kind = 'actual'"
    opened = "SELECT alert_id, argMax(level, position) FROM alert_events WHERE kind = 'budget' GROUP BY alert_id"

    def all_told() -> bool:
        if not store.rows(counted, cast(dict[str, object], teams))[0][0]:
            return False
        alerts = cast(list[tuple[str, int]], store.rows(opened))
        everything = len(alerts) >= cast(int, store.rows(crossed)[0][0])
        return everything and all(receiver.level(alert_id) >= level for alert_id, level in alerts)

    return wait_until(all_told, WAIT_S, _POLL_S)


def read_budgets(config_dir: Path) -> "BudgetsDocument":
    from stream_jobs.base.yaml_files import load_yaml
    from stream_jobs.budget_terms.document import FILE_NAME, BudgetsDocument

    return BudgetsDocument.model_validate(load_yaml(config_dir / FILE_NAME))

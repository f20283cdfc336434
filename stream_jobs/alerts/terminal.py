"""Alerts and silences on a terminal."""

from collections.abc import Sequence
from typing import Any, Final

from rich.text import Text

from stream_jobs.alerts.model import Alert
from stream_jobs.alerts.rows import GIVEN_UP
from stream_jobs.base.readable import clock, instant, money
from stream_jobs.output.console import Console
from stream_jobs.output.tables import Facts, Table

_STYLES: Final = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "cyan"}


def alerts_table(alerts: Sequence[dict[str, Any]]) -> Table:
    table = Table(header_style="bold")
    for column in ("severity", "state", "kind", "since (UTC)", "at stake", "what", "id"):
        table.add_column(column, justify="right" if column == "at stake" else "left")
    for alert in alerts:
        state = alert["state"] + (f" by {alert['acknowledged_by']}" if alert["state"] == "acknowledged" else "")
        table.add_row(
            Text(alert["severity"], style=_STYLES.get(alert["severity"], "")),
            Text(state),
            alert["kind"],
            instant(alert["starts_at"]),
            money(alert["money_usd"]) if alert["money_usd"] else "",
            Text(alert["summary"]),
            Text(alert["alert_id"], style="dim"),
        )
    return table


def silences_table(silences: Sequence[dict[str, Any]]) -> Table:
    table = Table("id", "from (UTC)", "to (UTC)", "scope", "kinds", "alert", "by", "note", header_style="bold")
    for silence in silences:
        table.add_row(
            silence["silence_id"],
            instant(silence["starts_at"]),
            instant(silence["ends_at"]),
            Text(silence["scope"] if silence["scope"] != "{}" else ""),
            ", ".join(silence["kinds"]),
            *(Text(silence[name]) for name in ("alert_id", "by", "note")),
        )
    return table


def print_alert(alert: Alert, events: Sequence[dict[str, Any]], told: Sequence[dict[str, Any]]) -> None:
    console = Console()
    signal = alert.unpacked()
    console.print(Text.assemble((alert.severity.upper(), _STYLES[alert.severity]), " ", (signal.summary, "bold")))
    state = alert.status + (f" by {alert.acknowledged_by}" if alert.acknowledged_by else "")
    facts = [
        ("id", alert.alert_id),
        ("state", state + (f", silenced by {alert.silenced_by}" * bool(alert.silenced_by))),
    ]
    facts += [("since", f"{instant(alert.starts_at)} UTC"), ("group", alert.group), ("owner", signal.owner or "")]
    facts += [("at stake", money(alert.money_usd) if alert.money_usd else "")]
    facts += [(fact.name, fact.text) for fact in signal.facts]
    facts += [("why", cause) for cause in signal.causes]
    facts += [("what to do", signal.action or ""), ("why over", signal.resolution or ""), ("more", signal.link or "")]
    facts += [("labels", ", ".join(f"{name}={value}" for name, value in sorted(signal.labels.items())))]
    facts += [("told to", ", ".join(alert.receivers) or "nobody")]
    console.print(Facts((name, text) for name, text in facts if text))
    history = Table("when (UTC)", "what", "severity", "by", "note", title="History")
    for event in events:
        note = event["note"] or event["silence_id"]
        history.add_row(clock(event["at"]), event["change"], event["severity"], Text(event["by"]), Text(note))
    console.print(history)
    if told:
        table = Table("when (UTC)", "receiver", "told", "new", "answer", title="Notifications")
        for row in told:
            became = "given up" if row["answer"].startswith(GIVEN_UP) else row["state"]
            state = row["action"] if became == "sent" else f"{row['action']} ({became})"
            table.add_row(clock(row["at"]), row["receiver"], state, Text(row["change"]), Text(row["answer"]))
        console.print(table)

"""Ledger entries in memory, and a ledger that the functions of reconciliation can post to."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.ledger.amounts import SIGNED, SIGNED_LISTS, account, opposite
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.reconciliation.findings import Finding, batch, finding
from stream_jobs.reconciliation.reports import Precedence, doubles_by_call
from stream_jobs.reconciliation.standing import Entry, standing

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_EMPTY: Mapping[str, Any] = {
    name: [] if str(LEDGER_COLUMNS.field(name).type).startswith(("list", "map")) else None
    for name in LEDGER_COLUMNS.names
}
_TEXTS = {name: "" for name in LEDGER_COLUMNS.names if str(LEDGER_COLUMNS.field(name).type) == "string"}


def charge(event_id: str = "e", **columns: Any) -> dict[str, Any]:
    """A priced charge of revision 0, booked at NOW from offset 1."""
    cost = columns.pop("cost", Decimal("1.5"))
    entry = {
        **_EMPTY,
        **_TEXTS,
        "event_id": event_id,
        "revision": 0,
        "entry_kind": "charge",
        "occurred_at": NOW - timedelta(hours=1),
        "booked_at": NOW,
        "source": "checkout",
        "kind": "tokens",
        "provider": "openai",
        "team": "search",
        "input_tokens": 100,
        "list_cost": cost,
        "contracted_cost": cost,
        "effective_cost": cost,
        "avoided_cost": Decimal(0),
        "unpriced_reason": "" if cost is not None else "unknown_model",
        "line_cost": [] if cost is None else [cost],
        "line_quantity": [] if cost is None else [Decimal(100)],
        "line_list_cost": [] if cost is None else [cost],
        "line_effective_cost": [] if cost is None else [cost],
        "cached_response": False,
        "topic_id": "t",
        "partition": 0,
        "offset": 1,
        "events": 1,
        "unpriced": int(cost is None),
    } | columns
    return entry


def correction(of: Entry, by: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What metering books for a higher revision: the charge taken back at the new one's position, and the new one."""
    back = opposite(of) | {
        **{name: by[name] for name in ("booked_at", "topic_id", "partition", "offset")},
        "entry_kind": "retraction",
    }
    return [back, dict(by)]


def adjusted(of: Entry, cost: Decimal, at: datetime = NOW + timedelta(hours=1)) -> dict[str, Any]:
    """What re-pricing posts: the difference, under the charge's own position."""
    zero = dict.fromkeys(SIGNED) | {name: [] for name in SIGNED_LISTS}
    difference = {name: cost - (of[name] or 0) for name in ("list_cost", "contracted_cost", "effective_cost")}
    return {
        **of,
        **zero,
        **difference,
        "entry_kind": "adjustment",
        "booked_at": at,
        "events": 0,
        "unpriced": -of["unpriced"],
        "avoided_cost": Decimal(0),
        "adjustment_run": "reprice-1",
    }


def moved(of: Entry, team: str, at: datetime = NOW + timedelta(hours=2)) -> list[dict[str, Any]]:
    """What re-attribution posts: everything out of the old place, everything into the new one."""
    stamp = {"entry_kind": "adjustment", "booked_at": at, "adjustment_run": "reattribute-1"}
    return [opposite(of) | stamp, {**of, **stamp, "team": team}]


def sums(entries: Iterable[Entry]) -> dict[Any, dict[str, Any]]:
    """What the entries come to, by account; what comes to nothing is left out."""
    found: dict[Any, dict[str, Any]] = {}
    for entry in entries:
        there = found.setdefault(account(entry), {})
        for name in SIGNED:
            there[name] = there.get(name, 0) + (entry[name] or 0)
        for name in SIGNED_LISTS:
            there[name] = there.get(name, 0) + sum(entry[name])
    return {where: amounts for where, amounts in found.items() if any(amounts.values())}


def reconcile(ledger: list[dict[str, Any]], precedence: Precedence | None = None, run: int = 1) -> list[Finding]:
    """One pass over everything; posts what it finds and returns it."""
    found = look(ledger, precedence)
    if found:
        posted = batch(found, run, NOW + timedelta(days=run)).entries.to_pylist()
        ledger.extend(posted)
    return found


def look(ledger: Iterable[Entry], precedence: Precedence | None = None) -> list[Finding]:
    by_event: dict[str, list[Entry]] = {}
    for entry in ledger:
        by_event.setdefault(entry["event_id"], []).append(entry)
    events = {event_id: event for event_id, rows in by_event.items() if (event := standing(rows)) is not None}
    doubles = doubles_by_call(events, precedence or Precedence())
    found = (finding(event, doubles.get(event_id)) for event_id, event in events.items())
    return [item for item in found if item is not None]

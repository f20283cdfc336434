"""`spendstream event show`: one event: what it cost and why, whose it is, where it lies and who else reported it."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stream_jobs.base.readable import clock, exact
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.cli.flags import add_json, add_store
from stream_jobs.output.lines import say_json

if TYPE_CHECKING:
    from stream_jobs.ledger.event import EventStory
    from stream_jobs.output.console import Console


def add_parser(subparsers: Any) -> None:
    """Add `event` and its subcommand."""
    parser = subparsers.add_parser(
        "event",
        help="show everything that is known of one event",
        description="Its entries in the ledger with their receipts, the rules that attributed it, where it lies in "
        "Kafka, who else reported it, what was refused under its id.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="one event by its id", description=parser.description)
    show.add_argument("event_id", metavar="ID", help="event_id, as its sender gave it")
    add_json(show)
    add_store(show)
    show.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 1 when nothing is known of such an event."""
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.ledger.event import event_story
    from stream_jobs.store.client import StoreClient

    with StoreClient(find_clickhouse(args.url, args.data_dir)) as store:
        story = event_story(store, args.event_id)
    if args.json:
        say_json(asdict(story) | {"state": story.state, "costs": story.costs, "attributed_by": _steps(story)})
    else:
        _print(story)
    return 0 if story.known else FOUND


def _steps(story: "EventStory") -> list[dict[str, str]]:
    return [{"rule": step.rule, "field": step.field, "old": step.old, "new": step.new} for step in story.attributed_by]


def _print(story: "EventStory") -> None:
    from rich.text import Text

    from stream_jobs.output.console import Console

    console = Console()
    costs = {name: amount for name, amount in story.costs.items() if amount is not None and (amount or name[0] != "a")}
    said = ", ".join(f"{name.removesuffix('_cost')} {exact(amount)}" for name, amount in costs.items())
    said = "without a price" if story.has_no_price else f"USD {said}" if said else ""
    console.print(f"{story.event_id}: {story.state}" + (f", {said}" if said else ""), soft_wrap=True)
    if not story.known:
        console.print("  no entry, no refused record and no copy has this id: ids are compared to the letter")
        return
    _entries(console, story.entries)
    _receipts(console, story.entries)
    _rows(console, "Attribution: what the rules changed", _steps(story))
    if story.attribution_problem:
        console.print(Text(f"attribution: {story.attribution_problem}", "yellow"), soft_wrap=True)
    _rows(console, "Corrections that touched it", story.runs)
    _rows(console, "Copies that were dropped", story.copies)
    _rows(console, "Refused records with this id", story.refused)
    _rows(console, "Reported twice: which event counts", story.reconciled)
    _rows(console, "Outcomes with this id", story.outcomes)


_OF_ENTRY = (
    *("entry_kind", "revision", "occurred_at", "booked_at", "source", "provider", "model", "response_model", "project"),
    *("team", "feature", "customer", "user_id", "session_id", "category", "effective_cost", "unpriced_reason"),
    "unpriced_detail",
    *("price_book_version", "attribution_version", "adjustment_run", "topic_id", "partition", "offset", "reason_text"),
)


def _entries(console: "Console", entries: Sequence[Mapping[str, Any]]) -> None:
    _rows(console, "Entries", [{name: entry[name] for name in _OF_ENTRY} for entry in entries])


def _receipts(console: "Console", entries: Sequence[Mapping[str, Any]]) -> None:
    names = ("sku", "meter", "quantity", "unit_price", "list_cost", "cost", "effective_cost")
    for number, entry in enumerate(entries, start=1):
        columns = [entry[f"line_{name}"] for name in names]
        lines = [dict(zip(names, line, strict=True)) for line in zip(*columns, strict=True)]
        _rows(console, f"Receipt of entry {number}", lines)


def _rows(console: "Console", title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of the columns that have something in them; nothing where there is no row."""
    from stream_jobs.output.tables import Table

    if not rows:
        return
    names = [name for name in rows[0] if any(row[name] not in (None, "", []) for row in rows)]
    table = Table(title=title)
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(_text(row[name]) for name in names))
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "tzinfo"):
        return clock(value)
    return exact(value) if hasattr(value, "as_tuple") else str(value)

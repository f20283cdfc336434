"""`spendstream reconcile --dry-run|--apply`: find what was counted twice and take it back."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.cli.flags import add_json, add_store, instant_of
from stream_jobs.output.lines import say_json

if TYPE_CHECKING:
    from stream_jobs.reconciliation.findings import Finding
    from stream_jobs.reconciliation.run import Outcome

SHOWN: Final = 20


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "reconcile",
        help="find what was counted twice in the ledger, and take it back with retractions",
        description="Finds events that were booked more than once, revisions that another one supersedes, and calls "
        "that were reported twice (same response_id), and posts retractions until each counts once. "
        "The job 'reconciliation' does the same every minute. Exit code 1 when --dry-run finds something.",
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--dry-run", action="store_true", help="show what would be posted; post nothing")
    mode.add_argument("--apply", action="store_true", help="post it")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--since",
        metavar="TIMESTAMP",
        help="look at what was booked since then (ISO 8601; UTC unless it says otherwise; default: since the last run)",
    )
    what.add_argument("--full", action="store_true", help="look at the whole ledger")
    add_json(parser)
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from stream_jobs.base.environment import from_environment
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.origin.settings import OriginSettings
    from stream_jobs.reconciliation.run import Reconciler
    from stream_jobs.reconciliation.settings import ReconciliationSettings
    from stream_jobs.store.client import StoreClient

    settings, senders = from_environment(ReconciliationSettings), from_environment(OriginSettings).origin().rules
    shown: list[Finding] = []

    def keep(item: "Finding") -> None:
        if len(shown) < SHOWN:
            shown.append(item)

    with StoreClient(find_clickhouse(args.url, args.data_dir, writable=True)) as store:
        reconciler = Reconciler(store, settings, senders)
        since = reconciler.beginning() if args.full else instant_of(args, "since")
        outcome = reconciler.dry_run(since, keep) if args.dry_run else reconciler.apply("command", since, keep)
    if args.json:
        say_json(_facts(args, outcome, shown))
    else:
        _print(args, outcome, shown)
    return FOUND if args.dry_run and outcome.tally.findings else 0


def _facts(args: argparse.Namespace, outcome: "Outcome", shown: "list[Finding]") -> dict[str, Any]:
    tally = outcome.tally
    return {
        "applied": args.apply,
        "since": outcome.since,
        "examined": tally.examined,
        "findings": tally.findings,
        "causes": outcome.causes,
        "entries": tally.entries,
        "list_cost": tally.list_cost,
        "effective_cost": tally.effective_cost,
        "finished": outcome.finished,
        "first": [
            {
                "event_id": item.event.event_id,
                "cause": item.cause,
                "source": item.source,
                "provider": item.event.kept["provider"],
                "response_id": item.event.kept["response_id"],
                "kept_event_id": item.counts.event_id,
                "kept_source": item.counts.source,
                "events": item.events,
                "list_cost": item.cost("list_cost"),
                "effective_cost": item.cost("effective_cost"),
            }
            for item in shown
        ],
    }


def _print(args: argparse.Namespace, outcome: "Outcome", shown: "list[Finding]") -> None:
    from stream_jobs.base.readable import clock, money
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    console = Console()
    tally = outcome.tally
    if outcome.finished:
        console.print(f"finished {outcome.finished} batches that an earlier run had begun")
    console.print(f"{tally.examined:,} entries booked since {clock(outcome.since)} UTC looked at")
    if not tally.findings:
        console.print("every event counts once")
        return
    table = Table(title="first of them" if tally.findings > len(shown) else None)
    for column in ("event", "source", "cause", "counts instead", "events", "effective cost"):
        table.add_column(column, justify="right" if column in ("events", "effective cost") else "left")
    for item in shown:
        instead = item.cause in ("response_id", "foreign_revision")
        counts = f"{item.counts.event_id} of {item.counts.source}" if instead else ""
        table.add_row(
            *(item.event.event_id, item.source, item.cause, counts),
            *(f"{item.events:+d}", money(item.cost("effective_cost"))),
        )
    console.print(table)
    causes = ", ".join(f"{number:,} {cause}" for cause, number in sorted(outcome.causes.items()))
    verb = "posted" if args.apply else "would be posted"
    console.print(f"{tally.findings:,} events: {causes}")
    console.print(f"{tally.entries:,} entries {verb}: {money(tally.effective_cost)} effective cost")

"""What `reprice` and `reattribute` share: their flags, looking and posting, and how the difference is shown."""

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.cli.flags import add_config_dir, add_json, add_store, instant_of
from stream_jobs.output.lines import complain, redraw_on_stderr, say_json, stderr_is_terminal

if TYPE_CHECKING:
    from stream_jobs.repricing.journal import Run
    from stream_jobs.repricing.run import Corrector, Progress
    from stream_jobs.repricing.selection import Kind
    from stream_jobs.repricing.summary import Summary
    from stream_jobs.store.client import StoreClient

BEGINNING: Final = "2020-01-01"
"""Nothing is accepted from before."""
MAX_ROWS: Final = 40
_LEFT: Final = {
    "kept_price": "events have a price that the loaded price files do not have: left as they are (see --unprice)",
    "expired": "events were booked so long ago that some of their entries may be gone by retention: left as they are",
    "doubled": "events are booked more than once: left to 'spendstream reconcile'",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that both commands have."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dry-run", action="store_true", help="show the difference, post nothing")
    what.add_argument("--apply", action="store_true", help="show the difference and post it")
    what.add_argument("--resume", metavar="RUN", help="go on with an interrupted run")
    what.add_argument("--abandon", metavar="RUN", help="end an interrupted run where it is; what it posted stays")
    parser.add_argument(
        "--since", metavar="TIME", help="only what occurred since then (ISO 8601; UTC unless it says otherwise)"
    )
    parser.add_argument("--until", metavar="TIME", help="only what occurred before then (default: now)")
    parser.add_argument("--note", default="", help="why; kept with the run and with every entry")
    add_config_dir(parser, "the files to use")
    parser.add_argument(
        "--chunk-rows",
        type=int,
        default=50_000,
        metavar="N",
        help="entries that are computed and posted at once (default: %(default)s); more take more memory",
    )
    add_json(parser)
    add_store(parser)


def run(
    args: argparse.Namespace,
    kind: "Kind",
    corrector_of: "Callable[[StoreClient, argparse.Namespace], Corrector]",
    *,
    models: Sequence[str] = (),
    providers: Sequence[str] = (),
    unprice: bool = False,
) -> int:
    """Look, post, resume or abandon. Raises ConfigError for flags that don't fit."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.repricing.journal import Journal
    from stream_jobs.repricing.selection import Selection
    from stream_jobs.runtime.memory import calm_collector
    from stream_jobs.store.client import StoreClient

    calm_collector()
    if args.chunk_rows < 1:
        raise ConfigError(f"--chunk-rows {args.chunk_rows}: must be at least 1")
    given = None if args.resume or args.abandon else _period(args)
    with StoreClient(find_clickhouse(args.url, args.data_dir, writable=True)) as store:
        if args.abandon:
            journal = Journal(store)
            return show(args, "abandoned", journal.abandon(journal.find(args.abandon)), args.abandon)
        corrector = corrector_of(store, args)
        if args.resume:
            return _work(args, corrector, corrector.journal.find(args.resume))
        assert given is not None
        selection = Selection(kind, *given, models=tuple(models), providers=tuple(providers))
        if args.dry_run:
            return show(args, "dry run", corrector.look(selection, unprice=unprice, chunk_rows=args.chunk_rows))
        opened = corrector.open(
            selection, note=args.note, unprice=unprice, until_now=args.until is None, chunk_rows=args.chunk_rows
        )
        return _work(args, corrector, opened)


def _work(args: argparse.Namespace, corrector: "Corrector", run: "Run") -> int:
    try:
        return show(args, "posted", corrector.work(run), run.run)
    except KeyboardInterrupt:
        complain("")
        complain(f"interrupted; go on with --resume {run.run}, or end it where it is with --abandon {run.run}")
        raise


def _period(args: argparse.Namespace) -> tuple[datetime, datetime]:
    from stream_jobs.base.errors import ConfigError

    since, until = instant_of(args, "since"), instant_of(args, "until") or datetime.now(UTC)
    if since is None:
        raise ConfigError(f"say from when on: --since {datetime.now(UTC):%Y-%m}-01")
    if until <= since:
        raise ConfigError(f"--until is not after --since: {until:%Y-%m-%dT%H:%M:%S} and {since:%Y-%m-%dT%H:%M:%S}")
    return since, until


def refuse_another_version(store: "StoreClient", table: str, loaded: str) -> None:
    """History must not be corrected with files that the workers do not use, unless somebody says so."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.ledger.versions import version_in_use

    used = version_in_use(store, table)
    if used is not None and used != loaded:
        raise ConfigError(
            f"the workers use version {used} ({table}), but this command loaded {loaded}. Give the --config-dir that "
            "is to be used; if its files were changed just now, the workers take them up within seconds"
        )


def progress(args: argparse.Namespace) -> "Progress":
    """A line on stderr if that is a terminal."""
    shown = stderr_is_terminal() and not args.json

    def report(done: int, of: int) -> None:
        if shown:
            redraw_on_stderr(f"{done} of {of} chunks", last=done == of)

    return report


def show(args: argparse.Namespace, outcome: str, summary: "Summary", run: str | None = None) -> int:
    """Print what was found or posted. Returns the exit code."""
    left = sum(getattr(summary, name) for name in _LEFT)
    if args.json:
        say_json(_document(outcome, summary, run))
    else:
        _print(outcome, summary, run)
    return FOUND if left else 0


def _document(outcome: str, summary: "Summary", run: str | None) -> dict[str, Any]:
    from stream_jobs.base.money import usd_text
    from stream_jobs.repricing.summary import COUNTS

    def costs(sums: Sequence[int]) -> dict[str, str]:
        names = ("list_cost", "contracted_cost", "effective_cost")
        return {name: usd_text(amount) for name, amount in zip(names, sums, strict=True)}

    by = [{**heading._asdict(), "events": sums[0], **costs(sums[1:])} for heading, sums in summary.rows()]
    counts = {name: getattr(summary, name) for name in COUNTS}
    return {"outcome": outcome, "run": run, **counts, **costs(summary.difference()), "by": by}


def _print(outcome: str, summary: "Summary", run: str | None) -> None:
    from stream_jobs.base.money import usd_text
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    console = Console()
    table = Table(title="Difference in USD", header_style="bold")
    for name in ("provider", "model", "team"):
        table.add_column(name)
    for name in ("events", "list", "contracted", "effective"):
        table.add_column(name, justify="right")
    rows = summary.rows()
    for heading, sums in rows[:MAX_ROWS]:
        table.add_row(*heading, f"{sums[0]:,}", *(usd_text(amount) for amount in sums[1:]))
    if len(rows) > MAX_ROWS:
        table.add_row(f"... {len(rows) - MAX_ROWS} more: --json", "", "", "", "", "", "")
    table.add_section()
    table.add_row("all", "", "", f"{summary.adjusted:,}", *(usd_text(amount) for amount in summary.difference()))
    if rows:
        console.print(table)
    verb = "would be posted" if outcome == "dry run" else "posted"
    console.print(
        f"{summary.events:,} events looked at, {summary.adjusted:,} differ; {summary.entries:,} entries {verb}"
        + (f" by run {run}" if run else "")
    )
    for name, text in (
        ("priced", "of them had no price and have one now"),
        ("unpriced", "of them lose their price"),
        ("without_price", "events have no price still"),
        ("bounded", "of them are held at what they may cost, no longer at the flat bound of each budget"),
        ("compared", "of them cost the same, compared with another amount: what caches saved, what was idle"),
        *_LEFT.items(),
    ):
        if number := getattr(summary, name):
            console.print(f"{number:,} {text}")

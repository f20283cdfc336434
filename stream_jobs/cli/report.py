"""`spendstream report`: where the money went, in the terminal and as a self-contained HTML page."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from spendstream_schemas.types import INSTANTS
from stream_jobs.base.instants import parse_utc
from stream_jobs.cli.flags import add_json, add_store
from stream_jobs.output.lines import say, say_json


def add_parser(subparsers: Any) -> None:
    """Add `report`."""
    parser = subparsers.add_parser(
        "report",
        help="where the money went: a summary here, and report.html with plots",
        description="Reads the ledger's rollups and writes one HTML file that needs no network. Without --from and "
        "--to it covers everything, but at most the last 31 days of events.",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=_instant,
        metavar="TIME",
        help="first instant: 2026-03-01, 2026-03-01T12:00 (UTC) or with an offset",
    )
    parser.add_argument("--to", dest="end", type=_instant, metavar="TIME", help="first instant after the period")
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html")
    add_json(parser, "the figures as one JSON object, and no file")
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit code 0, also for an empty store."""
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.output.console import Console
    from stream_jobs.report.queries import build
    from stream_jobs.store.client import StoreClient, connect

    settings = find_clickhouse(args.url, args.data_dir)
    console = Console(stderr=True)
    with connect(settings) as client:
        if console.is_terminal:
            with console.working("asking ClickHouse"):
                data = build(client, args.start, args.end)
        else:
            data = build(client, args.start, args.end)
    if args.json:
        say_json(data)
        return 0
    from stream_jobs.report.forecast_section import read_section
    from stream_jobs.report.html import write_html  # loads what draws the plots
    from stream_jobs.report.terminal import render_terminal

    render_terminal(data, Console())
    with StoreClient(settings) as store:
        write_html(data, args.out, read_section(store))
    say(f"report written to {args.out}")
    return 0


def _instant(text: str) -> datetime:
    """A date or time; UTC when it has no offset."""
    try:
        instant = parse_utc(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 2026-03-01 or 2026-03-01T12:00Z") from None
    first, last = INSTANTS
    if not first <= instant <= last:
        raise argparse.ArgumentTypeError(f"{text!r} is not between {first:%Y-%m-%d} and {last:%Y-%m-%d}")
    return instant

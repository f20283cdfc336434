"""`spendstream anomalies list|show|scan|mark`: what was unusual, why, and what people say of it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream_jobs.cli import anomalies_mark, anomalies_scan
from stream_jobs.cli.flags import add_json, add_store, instant_of

if TYPE_CHECKING:
    from stream_jobs.anomalies.found import Found
    from stream_jobs.anomalies.terminal import Shown
    from stream_jobs.store.client import StoreClient

LISTED: Final = 50


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "anomalies",
        help="what was unusual: list, show with plot and cause, mark; scan a file",
        description="What the job `anomalies` found unusual, of cost and of what drives it, with the reason.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="open findings, the gravest first (with --all, those that are over too)")
    which = listing.add_mutually_exclusive_group()
    which.add_argument("--open", action="store_true", help="only what is not over (the default)")
    which.add_argument("--all", action="store_true", help="also those that are over")
    listing.add_argument("--since", metavar="TIMESTAMP", help="only what was there then or later: 2026-01-31T08:00")
    listing.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only of such series; team=a* is a pattern, team= those that name no team; repeatable",
    )
    listing.add_argument("--limit", type=int, default=LISTED, help="at most so many (default: %(default)s)")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="one finding: what, when, how much, a plot, why, what people said of it")
    show.add_argument("id", metavar="ID", help="the finding's id, or a beginning of it that no other has")
    show.add_argument("--png", type=Path, metavar="FILE", help="also as a picture")
    show.add_argument("--html", type=Path, metavar="FILE", help="also as a page that needs no network")
    show.set_defaults(run=run_show)
    for action, what in ((listing, "one JSON object per line"), (show, "one JSON object")):
        add_json(action, what)
        add_store(action)
    for joined in (anomalies_scan, anomalies_mark):
        joined.add_parser(actions)


def run_list(args: argparse.Namespace) -> int:
    """Exit code 0, also where there is nothing."""
    from stream_jobs.anomalies.found import Filter, find
    from stream_jobs.anomalies.terminal import findings_table
    from stream_jobs.output.console import Console
    from stream_jobs.output.lines import say_json
    from stream_jobs.series.conditions import conditions

    where = conditions(args.where, "--where", _dimension)
    wanted = Filter(args.all, instant_of(args, "since"), where, max(args.limit, 0))
    with _store(args) as store:
        findings = find(store, wanted)
    if args.json:
        for found in findings:
            say_json(_json(found))
        return 0
    console = Console()
    if findings:
        console.print(findings_table(findings))
    else:
        console.print("nothing was found" if args.all else "nothing is unusual; with --all, what is over")
    if len(findings) == args.limit:
        console.print(f"the first {args.limit}; more with --limit", style="dim")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Exit code 0; files are written before anything is shown."""
    from stream_jobs.anomalies.found import the_one
    from stream_jobs.anomalies.terminal import look_at, print_finding
    from stream_jobs.output.console import Console
    from stream_jobs.output.lines import say, say_json

    with _store(args) as store:
        shown = look_at(store, the_one(store, args.id))
    if args.png or args.html:
        _write(shown, args.png, args.html)
    if args.json:
        around = {"step_s": shown.around.step, "points": shown.around.points}
        whole = {"cause": _cause(shown.found), "history": shown.history, "around": around}
        say_json(_json(shown.found) | whole | {"group": [_json(one) for one in shown.group]})
        return 0
    print_finding(Console(), shown)
    for path in (args.png, args.html):
        if path:
            say(f"written to {path}")
    return 0


def _store(args: argparse.Namespace) -> "StoreClient":
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    return StoreClient(find_clickhouse(args.url, args.data_dir))


def _write(shown: "Shown", png: Path | None, html: Path | None) -> None:
    from stream_jobs.report import page
    from stream_jobs.report.anomaly_page import anomaly_html
    from stream_jobs.report.anomaly_plots import picture

    if png:
        page.write(picture(shown), png, "--png")
    if html:
        page.write(anomaly_html(shown).encode(), html, "--html")


def _dimension(name: str) -> str:
    """Raises ConfigError for what no series is cut by."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.series.measures import DIMENSIONS, is_dimension

    if not is_dimension(name):
        raise ConfigError(f"--where: no series is cut by {name[:80]!r}; there are {', '.join(DIMENSIONS)}, labels.NAME")
    return name


def _json(found: "Found") -> dict[str, Any]:
    """Without the cause, which is long; with what people would subtract."""
    from dataclasses import fields

    document = {field.name: getattr(found, field.name) for field in fields(found) if field.name != "cause"}
    return document | {"excess": found.excess}


def _cause(found: "Found") -> Any:
    """As it is kept, where that is JSON."""
    import json

    try:
        return json.loads(found.cause) if found.cause else None
    except (ValueError, RecursionError):
        return None

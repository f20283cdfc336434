"""`spendstream alerts list|show|ack|silence|silences|test|check`: what is open, and what people do about it."""

import argparse
from typing import TYPE_CHECKING

from spendstream_schemas.alert_feed import ALERT_KINDS, SEVERITIES
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import utc_now
from stream_jobs.cli.checking import Usable, report
from stream_jobs.cli.config_dir import config_dir_of
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.cli.flags import add_config_dir, add_json, add_kafka, add_store
from stream_jobs.output.lines import say, say_json

if TYPE_CHECKING:
    from stream_jobs.alerts.document import AlertsDocument
    from stream_jobs.store.client import StoreClient


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from stream_jobs.alerts.notification import LISTED_BY_COMMAND

    parser = subparsers.add_parser(
        "alerts",
        help="what is open: list, show, acknowledge, silence; test the receivers",
        description="Alerts about budgets, forecasts, anomalies and the data itself. <config-dir>/alerts.yaml says who "
        "is told of what.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="open alerts, the gravest first (with --all, those that are over too)")
    listing.add_argument("--kind", action="append", default=[], choices=ALERT_KINDS, help="only this kind")
    listing.add_argument("--severity", action="append", default=[], choices=SEVERITIES, help="only this severity")
    listing.add_argument("--group", help="only this group, or what was told of it: a message's group, or its end")
    listing.add_argument("--all", action="store_true", help="also those that are over")
    listing.add_argument("--limit", type=int, default=LISTED_BY_COMMAND, help="at most so many (default: %(default)s)")
    show = actions.add_parser("show", help="one alert: what, why, what to do, its history and who was told")
    ack = actions.add_parser("ack", help="say that somebody looks after an alert")
    for action in (show, ack):
        action.add_argument("id", metavar="ID", help="the alert's id, or a part of it that no other has")
    silence = actions.add_parser("silence", help="tell nobody of some alerts for a while; they are kept and listed")
    silence.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only these; team=a* is a pattern, team= no team; repeatable: of one name, any of them",
    )
    silence.add_argument("--kind", action="append", default=[], choices=ALERT_KINDS, help="only this kind")
    silence.add_argument("--alert", metavar="ID", help="only this alert")
    silence.add_argument("--for", dest="lasts", metavar="DURATION", help="from now on: 30m, 2h, 7d")
    silence.add_argument("--until", metavar="TIMESTAMP", help="ISO 8601; UTC unless it says otherwise")
    silence.add_argument("--lift", metavar="ID", help="end this silence now (a part of its id will do)")
    for action in (ack, silence):
        action.add_argument("--note", default="", help="why, or what is done about it")
        action.add_argument("--by", help="who says so (default: you)")
        add_kafka(action)
    silences = actions.add_parser("silences", help="silences that hold now or later (with --all, past ones too)")
    silences.add_argument("--all", action="store_true", help="also those that have ended")
    for action in (listing, show, ack, silence, silences):
        add_json(action, "one JSON object per line")
        add_store(action)
    test = actions.add_parser("test", help="send a test notification, and print what the receiver answers")
    test.add_argument("receivers", nargs="*", metavar="RECEIVER")
    test.add_argument("--all", action="store_true", help="all receivers of alerts.yaml")
    check = actions.add_parser("check", help="report everything that is wrong with alerts.yaml, and what looks odd")
    for action in (test, check):
        add_config_dir(action, "alerts.yaml")
        add_json(action)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.action == "check":
        return _check(args)
    if args.action == "test":
        return _test(args)
    from stream_jobs.cli.alerts_asking import acknowledge, silence
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    do = {"list": _list, "show": _show, "ack": acknowledge, "silence": silence, "silences": _silences}[args.action]
    with StoreClient(find_clickhouse(args.url, args.data_dir, getattr(args, "bootstrap", None))) as store:
        return do(store, args)


def _list(store: "StoreClient", args: argparse.Namespace) -> int:
    from stream_jobs.alerts.history import Filter, find
    from stream_jobs.alerts.terminal import alerts_table
    from stream_jobs.output.console import Console

    alerts = find(store, Filter(args.kind, args.severity, args.group, args.all, args.limit))
    if args.json:
        for alert in alerts:
            say_json(alert)
        return 0
    console = Console()
    console.print(
        alerts_table(alerts)
        if alerts
        else "no open alerts; with --all, those that are over"
        if not args.all
        else "no alerts"
    )
    if len(alerts) == args.limit:
        console.print(f"the first {args.limit}; more with --limit", style="dim")
    return 0


def _show(store: "StoreClient", args: argparse.Namespace) -> int:
    from msgspec.structs import asdict

    from stream_jobs.alerts.history import deliveries_of, document_of, events_of
    from stream_jobs.alerts.model import unpacked
    from stream_jobs.alerts.terminal import print_alert
    from stream_jobs.cli.alerts_asking import the_one

    alert_id = the_one(store, args.id)
    document = document_of(store, alert_id)
    assert document is not None
    alert = unpacked(document)
    events, told = events_of(store, alert_id), deliveries_of(store, alert_id)
    if args.json:
        found = asdict(alert) | {"signal": alert.unpacked().model_dump(exclude_defaults=True)}
        say_json({"alert": found, "history": events, "notifications": told})
        return 0
    print_alert(alert, events, told)
    return 0


def _silences(store: "StoreClient", args: argparse.Namespace) -> int:
    from stream_jobs.alerts.history import silences
    from stream_jobs.alerts.terminal import silences_table
    from stream_jobs.output.console import Console

    found = silences(store, utc_now(), ended=args.all)
    if args.json:
        for silence in found:
            say_json(silence)
    else:
        Console().print(silences_table(found) if found else "no silences")
    return 0


def _test(args: argparse.Namespace) -> int:
    """Exit code 0 when each receiver took it."""
    import asyncio

    from stream_jobs.alerts.check import try_receivers
    from stream_jobs.alerts.document import FILE_NAME, load_document

    config_dir = config_dir_of(args)
    document: AlertsDocument = load_document(config_dir)
    by_name = {receiver.name: receiver for receiver in document.receivers}
    if bool(args.receivers) == args.all:
        raise ConfigError(f"name receivers, or --all; there are {', '.join(by_name) or f'none in {FILE_NAME}'}")
    if unknown := [name for name in args.receivers if name not in by_name]:
        raise ConfigError(f"no receiver {', '.join(unknown)}; there are {', '.join(by_name) or 'none'}")
    wanted = list(document.receivers) if args.all else [by_name[name] for name in args.receivers]
    results = asyncio.run(try_receivers(wanted))
    if args.json:
        for name, ok, answer in results:
            say_json({"receiver": name, "ok": ok, "answer": answer})
    else:
        for name, ok, answer in results:
            say(f"{name}: {'took it' if ok else 'FAILED'}: {answer}")
    return 0 if all(ok for _, ok, _ in results) else FOUND


def _check(args: argparse.Namespace) -> int:
    """See `report`."""
    from stream_jobs.alerts.check import check_file

    config_dir = config_dir_of(args)

    def check() -> Usable:
        found = check_file(config_dir)
        if found.problems:
            raise ConfigError(found.problems)
        valid = ""
        if (document := found.document) is not None:
            valid = f"{found.path}: {len(document.receivers)} receivers and {len(document.routes)} routes are valid"
        return Usable(valid, found.warnings)

    return report(args, check, {})

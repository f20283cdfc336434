"""`spendstream quarantine list|show|replay`: what could not be accepted, and sending it again."""

import argparse
from typing import TYPE_CHECKING, Any

from stream_jobs.base.readable import clock
from stream_jobs.cli.flags import add_json, add_kafka, add_store, instant_of
from stream_jobs.output.lines import data, say, say_json

if TYPE_CHECKING:
    from stream_jobs.quarantine.records import Selection
    from stream_jobs.store.client import StoreClient

DEFAULT_LIMIT = 50
PREVIEW_BYTES = 4_000
DETAIL_CHARS = 80


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "quarantine",
        help="records that could not be accepted: list, show, send again",
        description="Every record that breaks the contract is kept with its raw bytes, where it lay in Kafka, and the "
        "reason. Once the cause is fixed, 'replay' sends it again; nothing is booked twice.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="open records, newest first (with --all, replayed ones too)")
    _add_selection(listing, with_names=False)
    listing.add_argument("--all", action="store_true", help="also those that were sent again")
    listing.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="at most so many (default: %(default)s)")
    listing.add_argument("--summary", action="store_true", help="counts by reason instead of records")
    show = actions.add_parser("show", help="one record with its raw bytes")
    show.add_argument("name", metavar="TOPIC/PARTITION/OFFSET")
    show.add_argument("--raw", action="store_true", help="only the raw bytes, to stdout")
    replay = actions.add_parser("replay", help="send open records again")
    _add_selection(replay, with_names=True)
    replay.add_argument("--everything", action="store_true", help="all open records (else select some)")
    replay.add_argument("--note", default="", help="kept with the replay: why now")
    add_kafka(replay)
    for action in (listing, show, replay):
        add_json(action, "one JSON object per line")
        add_store(action)
    parser.set_defaults(run=run)


def _add_selection(parser: argparse.ArgumentParser, *, with_names: bool) -> None:
    if with_names:
        parser.add_argument("names", nargs="*", metavar="TOPIC/PARTITION/OFFSET")
    parser.add_argument("--reason", help="only this reason code")
    parser.add_argument("--source", help="only this service")
    parser.add_argument("--since", metavar="TIMESTAMP", help="only since then (ISO 8601; UTC unless it says otherwise)")


def run(args: argparse.Namespace) -> int:
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.store.client import StoreClient

    bootstrap = getattr(args, "bootstrap", None)
    settings = find_clickhouse(args.url, args.data_dir, bootstrap, writable=args.action == "replay")
    with StoreClient(settings) as store:
        if args.action == "list":
            return _summary(store, args) if args.summary else _list(store, args)
        return _show(store, args) if args.action == "show" else _replay(store, args)


def _selection(args: argparse.Namespace, **more: Any) -> "Selection":
    from stream_jobs.quarantine.records import Selection

    return Selection(reason=args.reason, source=args.source, since=instant_of(args, "since"), **more)


def _list(store: "StoreClient", args: argparse.Namespace) -> int:
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table
    from stream_jobs.quarantine.records import find

    records = list(find(store, _selection(args, open_only=not args.all), args.limit))
    if args.json:
        for record in records:
            fields = {name: getattr(record, name) for name in record.__slots__}
            say_json({"name": record.name, **fields})
        return 0
    console = Console()
    shown = DETAIL_CHARS if console.is_terminal else None
    table = Table("quarantined (UTC)", "record", "state", "reason", "field", "detail", "source", "bytes")
    for record in records:
        table.add_row(
            clock(record.quarantined_at),
            record.name,
            "replayed" if record.replayed else "open",
            record.reason,
            record.path,
            record.detail[:shown],
            record.source,
            f"{record.raw_size:,}",
        )
    console.print(table if records else "no open records in quarantine")
    if len(records) == args.limit:
        console.print(f"the newest {args.limit}; more with --limit, or counts with --summary", style="dim")
    return 0


def _summary(store: "StoreClient", args: argparse.Namespace) -> int:
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table
    from stream_jobs.quarantine.records import counts

    rows = counts(store, _selection(args, open_only=not args.all))
    if args.json:
        for topic, reason, number, first, last in rows:
            line = {"topic": topic, "reason": reason, "records": number, "first": first, "last": last}
            say_json(line)
        return 0
    table = Table("topic", "reason", "records", "first (UTC)", "last (UTC)")
    for topic, reason, number, first, last in rows:
        table.add_row(topic, reason, f"{number:,}", clock(first), clock(last))
    Console().print(table if rows else "no open records in quarantine")
    return 0


def _show(store: "StoreClient", args: argparse.Namespace) -> int:
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Facts
    from stream_jobs.quarantine.records import Selection, find, raw_of

    found = list(find(store, Selection(names=[args.name], open_only=False), 1))
    if not found:
        raise ConfigError(f"no record {args.name} in quarantine; see 'spendstream quarantine list --all'")
    record = found[0]
    key, raw, signature = raw_of(store, record)
    if args.raw:
        with data() as out:
            out.write(raw)
        return 0
    fields = {name: getattr(record, name) for name in record.__slots__}
    parts = {"key": key, "signature": signature, "raw": raw}
    fields |= {name: part.decode("utf-8", "backslashreplace") for name, part in parts.items()}
    if args.json:
        say_json({"name": record.name, **fields})
        return 0
    Console().print(
        Facts((name, _preview(value) if isinstance(value, str) else value) for name, value in fields.items())
    )
    return 0


def _preview(text: str) -> str:
    more = f" ... ({len(text):,} characters; all with --raw)" if len(text) > PREVIEW_BYTES else ""
    return text[:PREVIEW_BYTES] + more


def _replay(store: "StoreClient", args: argparse.Namespace) -> int:
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.embedded.instance import find_kafka
    from stream_jobs.quarantine.records import find
    from stream_jobs.quarantine.replay import replay

    if not (args.names or args.reason or args.source or args.since or args.everything):
        raise ConfigError("say which: records by name, --reason, --source, --since, or --everything")
    selected = list(find(store, _selection(args, names=args.names)))
    kafka = find_kafka(args.bootstrap, args.data_dir)
    result = replay(store, kafka, selected, args.note)
    if args.json:
        say_json({"sent": result.sent, "cut": result.cut})
    else:
        say(f"sent {result.sent} again")
        if result.cut:
            say(f"{result.cut} were too large to be kept whole; their sender must send them")
    return 0 if not result.cut else 1

"""`spendstream conservation`: what became of every record, per topic partition and hour."""

import argparse
from dataclasses import asdict
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

from stream_jobs.base.instants import utc_now
from stream_jobs.base.readable import instant
from stream_jobs.cli.exit_codes import FOUND
from stream_jobs.cli.flags import add_json, add_kafka, add_store, instant_of
from stream_jobs.output.lines import say_json

if TYPE_CHECKING:
    from stream_jobs.conservation.accounts import Accounts
    from stream_jobs.runtime.kafka_settings import KafkaSettings

DEFAULT_SINCE: Final = timedelta(days=1)
_COLUMNS: Final = ("part", "hour", "received", "booked", "duplicate", "refused", "in flight", "diff")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "conservation",
        help="check that every record was booked, dropped as a duplicate or quarantined, per partition and hour",
        description="Compares the receipts of finished blocks with the rows that are really there and with Kafka's "
        "log: received = booked + duplicates + quarantined; a difference is 0 or has a name "
        "(sql/views/conservation.sql explains them). Exit code 1 when something was lost, doubled or is not accounted "
        "for. An hour is that in which a record's block was fixed; what still waits in Kafka is in the current one.",
    )
    parser.add_argument(
        "--since",
        metavar="TIMESTAMP",
        help="from this hour on (ISO 8601; UTC unless it says otherwise; default: a day)",
    )
    parser.add_argument("--topic", help="only this topic")
    add_json(parser)
    add_store(parser)
    add_kafka(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.conservation.check import check
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.runtime.topics import EVENT_TOPICS
    from stream_jobs.store.client import StoreClient

    since = instant_of(args, "since") or utc_now() - DEFAULT_SINCE
    if args.topic and args.topic not in EVENT_TOPICS:
        raise ConfigError(f"--topic {args.topic!r} is not booked; there are {', '.join(EVENT_TOPICS)}")
    with StoreClient(find_clickhouse(args.url, args.data_dir, args.bootstrap, writable=True)) as store:
        accounts = check(store, since, kafka=_kafka(args), topic=args.topic)
    if args.json:
        say_json(_facts(accounts))
    else:
        _print(accounts)
    return 0 if accounts.closes else FOUND


def _kafka(args: argparse.Namespace) -> "KafkaSettings | None":
    """None when nothing says where Kafka is: the store's part of the check needs none."""
    from stream_jobs.base.errors import ConfigError
    from stream_jobs.embedded.instance import find_kafka

    try:
        return find_kafka(args.bootstrap, args.data_dir)
    except ConfigError:
        if args.bootstrap or args.data_dir:
            raise
        return None


def _facts(accounts: "Accounts") -> dict[str, object]:
    return {
        "ok": accounts.closes,
        "since": accounts.since,
        "kafka_error": accounts.kafka_error,
        "totals": accounts.totals(),
        "hours": [asdict(hour) | {"names": hour.names, "ok": hour.closes} for hour in accounts.hours],
    }


def _print(accounts: "Accounts") -> None:
    from rich.text import Text

    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table

    console = Console()
    console.print(f"records since {instant(accounts.since)} UTC")
    remarks = []
    for (topic, topic_id), hours in groupby(accounts.hours, lambda hour: (hour.topic, hour.topic_id)):
        table = Table(title=f"{topic or '?'} (id {topic_id})", box=None)
        for column in _COLUMNS:
            table.add_column(column, justify="left" if column == "hour" else "right", no_wrap=True)
        for hour in hours:
            figures = (hour.received, hour.booked, hour.duplicates, hour.quarantined, hour.in_flight, hour.difference)
            table.add_row(str(hour.partition), f"{hour.hour:%m-%d %H}:00", *(f"{figure:,}" for figure in figures))
            if named := ", ".join(f"{name} {number:,}" for name, number in hour.names.items() if name != "in_flight"):
                colour = "dim" if hour.closes else "red"
                place = f"{topic or '?'}[{hour.partition}] {hour.hour:%m-%d %H}:00"
                remarks.append(Text(f"{place}: {named}", colour))
        console.print(table)
    for remark in remarks:
        console.print(remark, soft_wrap=True)
    totals = accounts.totals()
    console.print(
        f"{totals['received']:,} received = {totals['booked']:,} booked + {totals['duplicates']:,} duplicates + "
        f"{totals['quarantined']:,} quarantined; {totals['in_flight']:,} in flight; difference {totals['difference']:,}"
    )
    if accounts.kafka_error is not None:
        console.print(
            Text.assemble(
                ("Kafka could not be asked", "yellow"),
                f" ({accounts.kafka_error}): records that nobody has taken from it yet are not in here",
            )
        )
    console.print(Text("closes", "green") if accounts.closes else Text("does not close", "red"))

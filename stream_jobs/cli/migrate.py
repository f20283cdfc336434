"""`spendstream migrate`: bring ClickHouse to this version's tables and views."""

import argparse
from typing import Any

from stream_jobs.base.readable import clock
from stream_jobs.cli.flags import add_json, add_store
from stream_jobs.output.lines import say, say_json, say_text


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "migrate",
        help="create or update the tables and views in ClickHouse",
        description=(
            "Applies the migrations that ClickHouse lacks, then makes all views anew, and sets how long rows are kept "
            "(SPENDSTREAM_RETENTION_LEDGER_DAYS, _ROLLUP_DAYS, _QUARANTINE_DAYS). Safe to run again and by two at "
            "once. 'spendstream up' does it by itself."
        ),
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="print the statements that would run; change nothing")
    what.add_argument("--status", action="store_true", help="list what is applied and what is missing")
    parser.add_argument(
        "--topics", action="store_true", help="also create the topics in Kafka (SPENDSTREAM_KAFKA_*) that are missing"
    )
    add_store(parser)
    add_json(parser, "one JSON object per migration")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from stream_jobs.base.environment import from_environment
    from stream_jobs.embedded.instance import find_clickhouse
    from stream_jobs.output.console import Console
    from stream_jobs.output.tables import Table
    from stream_jobs.store.client import connect
    from stream_jobs.store.migrate import applied_migrations, migrate, pending
    from stream_jobs.store.migrations import load_migrations
    from stream_jobs.store.retention import RetentionSettings, apply_retention

    retention = from_environment(RetentionSettings)
    settings = find_clickhouse(args.url, args.data_dir, writable=True)
    migrations = load_migrations()
    if args.dry_run or args.status:
        applied = {row.number: row for row in applied_migrations(settings)}
        missing = pending(migrations, list(applied.values()))
        shown = missing if args.dry_run else migrations
        status = Table("migration", "applied (UTC)")
        for migration in shown:
            row = applied.get(migration.number)
            facts: dict[str, Any] = {
                "migration": migration.label,
                "applied_at": row.applied_at if row else None,
            }
            if args.dry_run:
                facts["statements"] = list(migration.statements)
            if args.json or args.dry_run:
                _print(facts, as_json=args.json)
            else:
                status.add_row(migration.label, clock(row.applied_at) if row else "missing")
        if status.row_count:
            Console().print(status)
        if not args.json and not missing:
            say("nothing to apply")
        return 0
    if args.topics:
        _create_topics(as_json=args.json)
    done = migrate(
        settings,
        migrations,
        lambda migration: _print({"migration": migration.label}, as_json=args.json, verb="applying"),
    )
    with connect(settings) as client:
        apply_retention(client, retention)
    if not args.json:
        say(f"{len(done)} migrations applied; {settings.database} at {settings.address} is up to date")
    return 0


def _create_topics(*, as_json: bool) -> None:
    """As declared in schemas/topics/. Existing topics are left as they are."""
    from stream_jobs.embedded.instance import find_kafka
    from stream_jobs.runtime.kafka import ensure_topics
    from stream_jobs.runtime.topics import topic_specs

    for topic in ensure_topics(find_kafka(), topic_specs(embedded=False)):
        _print({"topic": topic}, as_json=as_json, verb="created")


def _print(facts: dict[str, Any], *, as_json: bool, verb: str = "") -> None:
    if as_json:
        say_json(facts)
    elif "statements" in facts:
        say_text(f"-- {facts['migration']}\n" + "".join(f"{sql};\n\n" for sql in facts["statements"]))
    else:
        say(f"{verb} {next(iter(facts.values()))}")

"""Bringing a ClickHouse database to this version of the schema."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.client import StoreQueryError, connect, store_errors
from stream_jobs.store.fill import feeds, fill
from stream_jobs.store.migrations import Migration, load_migrations
from stream_jobs.store.settings import ClickHouseSettings
from stream_jobs.store.views import apply_views

_UNKNOWN_DATABASE: Final = 81
_BOOK: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of schema_migrations."""

    number: int
    name: str
    checksum: str
    applied_at: datetime


def applied_migrations(settings: ClickHouseSettings) -> list[Applied]:
    """What the database has, by number; empty when it does not exist yet. Raises as `store_errors` does."""
    try:
        client = connect(settings)
    except StoreQueryError as error:
        if error.code == _UNKNOWN_DATABASE:
            return []
        raise
    with client:
        return _applied(client, settings)


def pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What is left to apply. Raises ConfigError when files and database tell different stories."""
    known = {migration.number: migration for migration in migrations}
    problems = []
    for row in applied:
        migration = known.get(row.number)
        if migration is None:
            problems.append(
                f"the database has migration {row.number:04}_{row.name}, which this version does not know: "
                "it was made by a newer version; upgrade this checkout"
            )
        elif migration.checksum != row.checksum:
            problems.append(
                f"{migration.label}.sql was changed after it was applied on {row.applied_at:%Y-%m-%d}: "
                "put it back as it was and write a new migration for the change"
            )
    numbers = {row.number for row in applied}
    gaps = [number for number in range(1, max(numbers, default=0)) if number not in numbers]
    if gaps:
        problems.append(f"the database lacks migrations {gaps} before its newest one; restore it from a backup")
    if problems:
        raise ConfigError(problems)
    return [migration for migration in migrations if migration.number not in numbers]


def migrate(
    settings: ClickHouseSettings,
    migrations: Sequence[Migration] | None = None,
    on_apply: Callable[[Migration], None] = lambda _: None,
) -> list[Migration]:
    """Apply what is missing, then the views. Returns what was applied. Safe to run twice and by two at once.

    A migration is recorded after its last statement, so one that was cut is applied again from its first. A rollup of
    the ledger is filled from what is booked already before the views are made that ask it.
    """
    migrations = load_migrations() if migrations is None else migrations
    with connect(settings, database="default") as client, store_errors(settings.address):
        client.command(f"CREATE DATABASE IF NOT EXISTS {settings.database}")
    with connect(settings) as client:
        with store_errors(settings.address):
            client.command(_BOOK)
        missing = pending(migrations, _applied(client, settings))
        for migration in missing:
            on_apply(migration)
            with store_errors(settings.address):
                for statement in migration.statements:
                    client.command(statement)
                for feed in feeds(migration.statements):
                    fill(client, feed)
                client.command(
                    "INSERT INTO schema_migrations (number, name, checksum, applied_at) "
                    "SELECT {number:UInt32}, {name:String}, {checksum:String}, now64(6)",
                    parameters={"number": migration.number, "name": migration.name, "checksum": migration.checksum},
                )
        with store_errors(settings.address):
            apply_views(client)
    return missing


def _applied(client: Client, settings: ClickHouseSettings) -> list[Applied]:
    sql = """
    SELECT number, argMin(name, applied_at), checksum, min(applied_at)
    FROM schema_migrations GROUP BY number, checksum ORDER BY number
    """
    try:
        with store_errors(settings.address):
            return [Applied(*row) for row in client.query(sql).result_rows]
    except StoreQueryError as error:
        if error.of_unknown_table:
            return []
        raise

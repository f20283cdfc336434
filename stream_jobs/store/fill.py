"""A rollup that is made when the ledger has rows already gets them from there, day by day.

The view behind a rollup sees what is inserted from then on. For each day of the ledger the difference between the two
is put in, by the view's own question: a fill that was cut goes on, one that is repeated does nothing, and blocks that
are booked meanwhile are counted once. (What is just between the ledger and the rollup when a day is asked shows as a
difference, and as the opposite one when it is asked again, which it is until there is none.)
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import ConfigError

ATTEMPTS: Final = 5
_FEED: Final = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<view>\w+) TO (?P<table>\w+) AS\s+"
    r"(?P<select>SELECT\b.*\bFROM )ledger AS entry(?P<rest>\s+GROUP BY\b.*)",
    re.DOTALL,
)
_DAY: Final = (
    "entry.occurred_at >= toDateTime({day:Date}, 'UTC') AND entry.occurred_at < toDateTime({day:Date} + 1, 'UTC')"
)
_DAYS: Final = """
WITH (
    SELECT toUInt32OrNull(extract(create_table_query, 'TTL .*toIntervalDay\\\\((\\\\d+)\\\\)'))
    FROM system.tables
    WHERE database = currentDatabase() AND name = 'ledger'
) AS kept_days
SELECT day, day > today() - ifNull(kept_days, 20000) OR day NOT IN (SELECT DISTINCT toDate({time:Identifier})
    FROM {table:Identifier})
FROM (SELECT DISTINCT toDate(occurred_at, 'UTC') AS day FROM ledger)
ORDER BY day
"""
_SETTINGS: Final = {
    "max_insert_block_size": 10_000_000,
    "min_insert_block_size_rows": 10_000_000,
    "max_threads": 1,
    "max_bytes_before_external_group_by": 400_000_000,
    "insert_deduplicate": 1,
}


class Feed(NamedTuple):
    """A rollup, and the question whose answer it holds."""

    table: str
    select: str
    rest: str

    def of_day(self) -> str:
        return f"{self.select} ledger AS entry WHERE {_DAY} {self.rest}"


def feeds(statements: Iterable[str]) -> list[Feed]:
    """The rollups of the ledger that these statements make."""
    found = []
    for statement in statements:
        match = _FEED.search(statement)
        if match is not None:
            found.append(Feed(match["table"], match["select"], match["rest"]))
    return found


def fill(client: Client, feed: Feed, on_day: Callable[[date], None] = lambda _: None) -> None:
    """Put in what the rollup lacks of the ledger. Raises ConfigError if a day does not come to agree.

    Days of which retention may have dropped entries are filled only where the rollup has nothing.
    """
    time, columns = _columns(client, feed.table)
    rows = client.query(_DAYS, parameters={"time": time, "table": feed.table}).result_rows
    for day, fillable in rows:
        if fillable:
            on_day(day)
            _fill_day(client, feed, day, time, columns)


def _fill_day(client: Client, feed: Feed, day: date, time: str, columns: dict[str, str]) -> None:
    difference, parameters = _difference(feed, time, columns), {"day": day}
    for attempt in range(ATTEMPTS):
        if not client.query(f"SELECT count() FROM ({difference})", parameters=parameters).result_rows[0][0]:
            return
        token = f"fill/{feed.table}/{day}/{attempt}"
        client.command(
            f"INSERT INTO {feed.table} ({', '.join(columns)}) {difference}",
            parameters=parameters,
            settings={**_SETTINGS, "insert_deduplication_token": token},
        )
    raise ConfigError(
        f"{feed.table} of {day} could not be filled from the ledger, which changes all the time: run "
        "`spendstream migrate` again when less is booked"
    )


def _columns(client: Client, table: str) -> tuple[str, dict[str, str]]:
    """(the column of time, type by column; '' for what is in the key)."""
    rows = client.query(
        "SELECT name, type, is_in_sorting_key FROM system.columns WHERE database = currentDatabase() "
        "AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') ORDER BY position",
        parameters={"table": table},
    ).result_rows
    return str(rows[0][0]), {str(name): "" if is_key else str(kind) for name, kind, is_key in rows}


def _difference(feed: Feed, time: str, columns: dict[str, str]) -> str:
    keys = [name for name, kind in columns.items() if not kind]
    measures = [name for name, kind in columns.items() if kind]

    def own(name: str, sign: str) -> str:
        kind = columns[name]
        if "Map(" in kind:
            return name if not sign else f"mapApply((k, v) -> (k, -v), {name}) AS {name}"
        return f"{sign}{f'toInt64({name})' if kind == 'UInt64' else name} AS {name}"

    def part(sign: str, source: str) -> str:
        return f"SELECT {', '.join([*keys, *(own(name, sign) for name in measures)])} FROM {source}"

    def total(name: str) -> str:
        return f"{'sumMap' if 'Map(' in columns[name] else 'sum'}(parts.{name})"

    is_there = " OR ".join(
        f"notEmpty(mapFilter((k, v) -> v != 0, {total(name)}))" if "Map(" in columns[name] else f"{total(name)} != 0"
        for name in measures
    )
    return (
        f"SELECT {', '.join([*keys, *(f'{total(name)} AS {name}' for name in measures)])} FROM ("
        f"{part('', f'({feed.of_day()})')} UNION ALL "
        f"{part('-', f'{feed.table} WHERE toDate({time}) = {{day:Date}}')}) AS parts "
        f"GROUP BY {', '.join(keys)} HAVING {is_there}"
    )

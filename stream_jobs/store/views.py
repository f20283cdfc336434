"""The analysts' views: dropped and made anew from their files whenever migrations run, so they can simply be edited."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.sql_files import SQL_ROOT, read_sql, sql_files
from stream_jobs.store.sql_text import split_statements, tokens

VIEWS: Final = SQL_ROOT / "views"
_HEAD: Final = ("CREATE", "OR", "REPLACE", "VIEW")


def load_views(folder: Path = VIEWS) -> dict[str, str]:
    """The statement of each view by its name, which is also its file's. Raises ConfigError."""
    views: dict[str, str] = {}
    for path in sql_files(folder):
        statements = split_statements(read_sql(path))
        head = [token.text for token in tokens(statements[0])][:5] if statements else []
        if len(statements) != 1 or tuple(word.upper() for word in head[:4]) != _HEAD or head[4:] != [path.stem]:
            raise ConfigError(f"{path}: must hold one statement, CREATE OR REPLACE VIEW {path.stem} AS ...")
        views[path.stem] = statements[0]
    return views


def apply_views(client: Client, folder: Path = VIEWS) -> list[str]:
    """(Re)create all views in the client's database. Returns their names."""
    views = load_views(folder)
    for name in in_order(views):
        client.command(views[name])
    return list(views)


def in_order(views: Mapping[str, str]) -> list[str]:
    """A view after those that it reads. Raises ConfigError when they read each other."""
    named = {name: {token.text for token in tokens(statement)} for name, statement in views.items()}
    reads = {name: sorted(words & (views.keys() - {name})) for name, words in named.items()}
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError as error:
        raise ConfigError(f"views that read each other: {', '.join(error.args[1])}") from None

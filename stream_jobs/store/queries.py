"""The named queries of sql/queries: questions that come up every week, ready to ask."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.sql_files import SQL_ROOT, read_sql, sql_files
from stream_jobs.store.sql_text import split_statements

QUERIES: Final = SQL_ROOT / "queries"
INTERNAL: Final = QUERIES / "internal"
"""What our own pages ask: not listed among the questions for people."""
_PARAMETER = re.compile(r"\{(\w+):\s*\w")


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """`title` is the comment on the file's first line."""

    name: str
    title: str
    sql: str
    parameters: tuple[str, ...] = ()  # names of its {name:Type} placeholders


def named_queries(folder: Path = QUERIES) -> dict[str, NamedQuery]:
    """All of them by name. Raises ConfigError for a file without a title or with several statements."""
    queries: dict[str, NamedQuery] = {}
    for path in sql_files(folder):
        text = read_sql(path)
        first_line = text.partition("\n")[0]
        statements = split_statements(text)
        if not first_line.startswith("-- ") or len(statements) != 1:
            raise ConfigError(f"{path}: must hold one statement under a line '-- what it answers'")
        queries[path.stem] = NamedQuery(
            path.stem, first_line.removeprefix("-- "), statements[0], _parameters(statements[0])
        )
    return queries


def _parameters(sql: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PARAMETER.findall(sql)))


def named_query(name: str) -> NamedQuery:
    """Raises ConfigError that lists the names there are."""
    queries = named_queries()
    if name not in queries:
        listing = "\n".join(_describe(query) for query in queries.values())
        raise ConfigError(f"there is no query named {name!r}; these exist:\n{listing}")
    return queries[name]


def _describe(query: NamedQuery) -> str:
    needs = " ".join(f"--param {name}=..." for name in query.parameters)
    return f"  {query.name}: {query.title}" + (f" [{needs}]" if needs else "")

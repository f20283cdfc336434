"""The migration files: numbered without gaps, never changed once applied, and repeatable.

Every statement must be repeatable (IF NOT EXISTS, IF EXISTS, MODIFY): ClickHouse has no transactions around DDL, so a
run that was cut is healed by running again, and two runs at once do no harm.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.sql_files import SQL_ROOT, read_sql, sql_files
from stream_jobs.store.sql_text import SqlTextError, split_statements, tokens

MIGRATIONS: Final = SQL_ROOT / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_REPEATABLE: Final = (
    re.compile(r"CREATE (MATERIALIZED VIEW|VIEW|TABLE|DICTIONARY) IF NOT EXISTS "),
    re.compile(r"CREATE OR REPLACE (VIEW|FUNCTION) "),
    re.compile(r"CREATE FUNCTION IF NOT EXISTS "),
    re.compile(r"DROP (VIEW|TABLE|DICTIONARY) IF EXISTS "),
    re.compile(r"ALTER TABLE \S+ (ADD|CLEAR|DROP|MATERIALIZE) (COLUMN|INDEX|PROJECTION|CONSTRAINT) IF (NOT )?EXISTS "),
    re.compile(r"ALTER TABLE \S+ MODIFY "),
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its bytes."""

    number: int
    name: str
    checksum: str
    statements: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.number:04}_{self.name}"


def load_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """All migrations in order. Raises ConfigError with every bad name, gap, and statement that can't be repeated."""
    problems: list[str] = []
    found: list[Migration] = []
    for path in sql_files(folder):
        match = _NAME.fullmatch(path.name)
        if match is None:
            problems.append(f"{path}: must be named like 0001_what_it_does.sql")
            continue
        text = read_sql(path)
        try:
            statements = tuple(split_statements(text))
        except SqlTextError as error:
            problems.append(f"{path}: {error}")
            continue
        problems += [f"{path}: {problem}" for problem in _problems(statements)]
        checksum = hashlib.sha256(text.encode()).hexdigest()
        found.append(Migration(int(match[1]), match[2], checksum, statements))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            problems.append(f"{folder}: {expected:04} is missing or there twice (found {migration.label})")
            break
    if problems:
        raise ConfigError(problems)
    return found


def _problems(statements: tuple[str, ...]) -> list[str]:
    if not statements:
        return ["holds no statement"]
    problems = []
    for statement in statements:
        head = " ".join(token.text for token in tokens(statement))
        if not any(pattern.match(head.upper()) for pattern in _REPEATABLE):
            problems.append(f"cannot be repeated safely (IF NOT EXISTS, IF EXISTS, MODIFY): {statement[:60]!r}")
    return problems

"""Which migration files are accepted."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.migrate import Applied, pending
from stream_jobs.store.migrations import Migration, load_migrations

GOOD = "CREATE TABLE IF NOT EXISTS a (b Int8) ENGINE = MergeTree ORDER BY b;"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(text)
    return folder


def applied(*migrations: Migration) -> list[Applied]:
    return [Applied(m.number, m.name, m.checksum, datetime(2026, 1, 1, tzinfo=UTC)) for m in migrations]


def test_the_files_of_this_checkout_are_good() -> None:
    """Numbers from 1 without gaps, every statement repeatable."""
    migrations = load_migrations()
    assert [migration.number for migration in migrations] == list(range(1, len(migrations) + 1))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"m0001_a": GOOD, "m0003_c": GOOD}, "0002 is missing"),
        ({"m0001_a": GOOD, "m0001_b": GOOD}, "0002 is missing or there twice"),
        ({"m0002_b": GOOD}, "0001 is missing"),
        ({"mfirst": GOOD}, "must be named like"),
        ({"m0001_a": "-- nothing"}, "holds no statement"),
        ({"m0001_a": "CREATE TABLE a (b Int8) ENGINE = Memory"}, "cannot be repeated"),
        ({"m0001_a": "INSERT INTO a VALUES (1)"}, "cannot be repeated"),
        ({"m0001_a": "DROP TABLE a"}, "cannot be repeated"),
        ({"m0001_a": "ALTER TABLE a ADD COLUMN c Int8"}, "cannot be repeated"),
        ({"m0001_a": "SELECT 'open"}, "is not closed"),
        ({}, "no .sql files found"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A gap, a wrong name, or a statement that can't be repeated stops everything before it starts."""
    with pytest.raises(ConfigError) as caught:
        load_migrations(write(tmp_path, **files))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "alter table a add column if not exists c Int8",
        "ALTER TABLE a MODIFY COLUMN c Int16",
        "ALTER TABLE a DROP COLUMN IF EXISTS c",
        "ALTER TABLE a MATERIALIZE INDEX IF EXISTS i",
        "DROP VIEW IF EXISTS v",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO a AS SELECT 1 AS b",
    ],
)
def test_repeatable_statements_are_accepted(tmp_path: Path, statement: str) -> None:
    """What later migrations will need, in any case."""
    assert load_migrations(write(tmp_path, m0001_a=statement))[0].statements == (statement,)


def test_pending_is_what_the_database_lacks(tmp_path: Path) -> None:
    """In order; a gap before the newest applied one is an error, for it can only be a damaged database."""
    first, second, third = load_migrations(write(tmp_path, m0001_a=GOOD, m0002_b=GOOD, m0003_c=GOOD))
    assert pending([first, second, third], applied(first)) == [second, third]
    assert pending([first, second, third], []) == [first, second, third]
    with pytest.raises(ConfigError, match=r"lacks migrations \[2\]"):
        pending([first, second, third], applied(first, third))
    with pytest.raises(ConfigError, match="changed after it was applied on 2026-01-01"):
        pending([first], applied(replace(first, checksum="x")))

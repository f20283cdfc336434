"""`spendstream query`: its formats, and what it says of them."""

import subprocess

import pytest

from tests import commands
from tests.store_server import StoreProcess


def query(process: StoreProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.run("query", *arguments, "--url", process.url)


@pytest.mark.parametrize(
    ("end", "options"),
    [
        ("FORMAT CSV", ()),
        ("format `CSV`", ("--json",)),
        ("FORMAT CSV SETTINGS max_threads = 1", ("--format", "TSV")),
    ],
)
def test_a_format_in_the_statement_is_said_to_be_an_option(
    process: StoreProcess, end: str, options: tuple[str, ...]
) -> None:
    """The command names one itself, and a statement has one: what to do instead is said, and works."""
    refused = query(process, f"SELECT 1 AS a {end}", *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "spendstream query: a statement cannot name its format here: leave FORMAT CSV out, and give --format CSV "
        "(or --json)\n"
    )


def test_a_column_may_be_called_format(process: StoreProcess) -> None:
    """Only what ClickHouse does not understand is taken for a format; another mistake stays what it is."""
    assert query(process, "SELECT 1 AS format ORDER BY format DESC").stdout == "format\n1\n"
    assert "UNKNOWN_IDENTIFIER" in query(process, "SELECT nothing AS format ORDER BY format DESC").stderr
    assert "Syntax error" in query(process, "SELECT 1 1 AS format").stderr


@pytest.mark.parametrize(
    ("options", "head"), [((), "a\tb\n"), (("--format", "CSV"), '"a","b"\n'), (("--format", "TSV"), "a\tb\n")]
)
def test_an_empty_answer_has_its_head(process: StoreProcess, options: tuple[str, ...], head: str) -> None:
    """In a pipe, whatever reads it knows the columns."""
    statement = "WITH {n:UInt8} AS n SELECT n AS a, toDecimal64(1, 2) AS b WHERE a > 7 -- none"
    assert query(process, statement, "--param", "n=7", *options).stdout == head
    assert len(query(process, statement, "--param", "n=8", *options).stdout.splitlines()) == 2


def test_a_statement_without_columns_says_nothing(process: StoreProcess) -> None:
    """Nothing is asked for columns that are not there."""
    done = query(process, "SHOW TABLES LIKE 'no such table'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

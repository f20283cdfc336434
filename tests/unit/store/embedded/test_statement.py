"""Taking a request apart: verb, format, and where the rows of an insert begin."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.embedded.errors import EngineError
from stream_jobs.store.embedded.statement import read_statement


@pytest.mark.parametrize(
    ("sql", "head", "data_format", "data"),
    [
        (b"INSERT INTO t FORMAT TSV\n1\t2\n", "INSERT INTO t ", "TSV", b"1\t2\n"),
        (b"INSERT INTO t FORMAT TSV 1\t2\n", "INSERT INTO t ", "TSV", b"1\t2\n"),
        (b"INSERT INTO t (a, `values`) VALUES (1), (2)", "INSERT INTO t (a, `values`) ", "Values", b" (1), (2)"),
        (b"insert into t (format) format Values (1)", "insert into t (format) ", "Values", b"(1)"),
        (b"INSERT INTO t SETTINGS a='FORMAT' FORMAT X\n\xff;'", "INSERT INTO t SETTINGS a='FORMAT' ", "X", b"\xff;'"),
        (b"INSERT INTO t FORMAT CSV\r\n\n1", "INSERT INTO t ", "CSV", b"\n1"),
        (b"INSERT INTO t FORMAT JSONEachRow", "INSERT INTO t ", "JSONEachRow", b""),
    ],
)  # fmt: skip
def test_the_rows_of_an_insert(sql: bytes, head: str, data_format: str, data: bytes) -> None:
    """What follows FORMAT or VALUES is data, whatever it looks like."""
    statement = read_statement(sql)
    assert (statement.verb, statement.sql, statement.data_format) == ("INSERT", head, data_format)
    assert b"".join(statement.data) == data


@pytest.mark.parametrize(
    ("sql", "settings"),
    [
        ("INSERT INTO t SETTINGS a = 1, b = '(' FORMAT CSV\n1", "SETTINGS a = 1, b = '(' "),
        ("INSERT INTO t (é, settings) SETTINGS a=1 VALUES (1)", "SETTINGS a=1 "),
        ("INSERT INTO settings (settings) FORMAT CSV\n1", None),
        ("INSERT INTO db.settings VALUES (1)", None),
    ],
)
def test_where_the_settings_of_an_insert_begin(sql: str, settings: str | None) -> None:
    """The rows' file is named before the SETTINGS clause; a table or column of that name is none."""
    statement = read_statement(sql.encode())
    found = None if statement.settings_at is None else statement.sql[statement.settings_at :]
    assert found == settings


def test_an_insert_of_a_query_has_no_rows() -> None:
    """INSERT ... SELECT runs as it is."""
    assert read_statement(b"INSERT INTO t SELECT 1").data_format is None


@pytest.mark.parametrize(
    ("sql", "verb", "output_format"),
    [
        ("SELECT 1", "SELECT", None),
        ("(SELECT 1) UNION ALL (SELECT 2) FORMAT JSON", "SELECT", "JSON"),
        ("WITH 1 AS a SELECT a FORMAT CSV SETTINGS max_threads = 1;", "WITH", "CSV"),
        ("SELECT 'FORMAT JSON'", "SELECT", None),
        ("SELECT format('{}', 1), 1 AS format", "SELECT", None),
        ("SELECT * FROM (SELECT 1) -- FORMAT JSON", "SELECT", None),
        ("show tables", "SHOW", None),
    ],
)
def test_verb_and_output_format(sql: str, verb: str, output_format: str | None) -> None:
    """A FORMAT clause counts only outside of strings, comments and parentheses."""
    statement = read_statement(sql.encode())
    assert (statement.verb, statement.output_format) == (verb, output_format)


@given(st.binary(max_size=200))
def test_any_bytes_may_follow_an_insert(data: bytes) -> None:
    """Rows are never read as SQL, so they can't break or end the statement."""
    statement = read_statement(b"INSERT INTO t FORMAT RowBinary\n" + data)
    assert b"".join(statement.data) == data


@given(st.binary(max_size=200))
def test_garbage_is_an_error_and_nothing_else(text: bytes) -> None:
    """Whatever arrives is either a statement or an EngineError."""
    with contextlib.suppress(EngineError):
        read_statement(text)

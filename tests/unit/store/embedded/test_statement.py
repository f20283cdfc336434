"""Where the rows of an insert begin, the only thing looked for in a text that the engine has not read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.embedded.errors import EngineError
from stream_jobs.store.embedded.statement import looks_like_insert, read_insert


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
    insert = read_insert(sql)
    assert insert is not None
    assert (insert.head, insert.data_format, b"".join(insert.data)) == (head, data_format, data)


def test_an_insert_of_a_query_has_no_rows() -> None:
    """INSERT ... SELECT runs as it is."""
    assert read_insert(b"INSERT INTO t SELECT 1") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"INSERT INTO t", True), (b"\n  insert into t", True), (b"SELECT 'INSERT'", False), (b"", False)],
)
def test_what_takes_the_lane_of_inserts(text: bytes, expected: bool) -> None:
    """The first word decides; a wrong guess only costs a place in the other pool."""
    assert looks_like_insert(text) is expected


@given(st.binary(max_size=200))
def test_any_bytes_may_follow_an_insert(data: bytes) -> None:
    """Rows are never read as SQL, so they can't break or end the statement."""
    insert = read_insert(b"INSERT INTO t FORMAT RowBinary\n" + data)
    assert insert is not None
    assert b"".join(insert.data) == data


@given(st.binary(max_size=200))
def test_garbage_is_an_error_and_nothing_else(text: bytes) -> None:
    """Whatever arrives is an insert, none, or an EngineError."""
    with contextlib.suppress(EngineError):
        read_insert(text)

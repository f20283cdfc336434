"""The Azure trace reader."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from spendstream_traffic.replay.readers.azure import read_azure
from stream_jobs.base.errors import ConfigError
from tests.unit.traffic.replay.build import good, split, write

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


def test_naive_times_are_utc_and_the_seventh_digit_is_cut(tmp_path: Path) -> None:
    """100 ns are below the contract's microseconds; cutting never moves an event into the next second."""
    path = write(tmp_path / "t.csv", [HEADER, "2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:59.9999999,1,0"])
    first, second = good(read_azure(path))
    assert first.payload == {
        "occurred_at": datetime(2023, 11, 16, 18, 15, 46, 680590, tzinfo=UTC),
        "usage": {"kind": "tokens", "input_tokens": 374, "output_tokens": 44},
    }
    assert second.payload["occurred_at"] == datetime(2023, 11, 16, 18, 15, 59, 999999, tzinfo=UTC)
    assert [first.line, second.line] == [2, 3]


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    """Files that went through a spreadsheet."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n2023-11-16 18:15:46,374,44\r\n\r\n")
    assert [row.payload["usage"]["input_tokens"] for row in good(read_azure(path))] == [374]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2023-11-16 18:15:46,many,44", "ContextTokens is not a whole number: 'many'"),
        ("2023-11-16 18:15:46,1.5,44", "ContextTokens is not a whole number: '1.5'"),
        ("2023-11-16 18:15:46,-3,44", "ContextTokens is negative: -3"),
        ("2023-11-16 18:15:46,3,", "GeneratedTokens is not a whole number: ''"),
        ("yesterday,3,4", "TIMESTAMP is not a time: 'yesterday'"),
        ("2023-11-16 18:15:46,3", "has 2 columns, the header has 3"),
        ('"2023-11-16 18:15:46"x,3,4', "',' expected after '\"'"),
    ],
)
def test_a_broken_row_is_told_and_the_next_one_is_read(tmp_path: Path, row: str, why: str) -> None:
    """One bad line costs one line."""
    path = write(tmp_path / "t.csv", [HEADER, row, "2023-11-16 18:15:47,5,6"])
    rows, bad = split(read_azure(path))
    assert [(item.line, item.why) for item in bad] == [(2, why)]
    assert [item.payload["usage"]["input_tokens"] for item in rows] == [5]


def test_a_file_of_another_kind_is_refused_with_its_header(tmp_path: Path) -> None:
    """Not thousands of row errors, but one that says what is there."""
    path = write(tmp_path / "t.csv", ["a,b", "1,2"])
    with pytest.raises(ConfigError, match="no column TIMESTAMP, ContextTokens, GeneratedTokens; its header is: a, b"):
        next(read_azure(path))


def test_an_empty_file_and_a_missing_file_say_so(tmp_path: Path) -> None:
    """Zero events replayed in silence would look like success."""
    empty = write(tmp_path / "empty.csv", [])
    with pytest.raises(ConfigError, match="is empty"):
        next(read_azure(empty))
    with pytest.raises(ConfigError, match="No such file"):
        next(read_azure(tmp_path / "none.csv"))

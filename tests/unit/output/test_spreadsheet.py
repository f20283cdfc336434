"""A spreadsheet shows every cell and obeys none."""

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.output.spreadsheet import SpreadsheetSafe, neutral, refuse_others

SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
PLAIN = st.characters(codec="utf-8", exclude_characters="\x00")
TEXTS = st.text(st.sampled_from(f"{SIGNS};,\"' 1.eE-|a\ufeff") | PLAIN, max_size=12)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:f}") | st.floats().map(repr)


def is_formula(cell: str) -> bool:
    """As a spreadsheet sees it, which drops blanks in front."""
    return cell[:1] in tuple("\t\r\n") or cell.strip(' \t\r\n\ufeff\xa0\u200b"')[:1] in tuple(SIGNS)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell and cell == cell.strip()


class Taken:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> int:
        self.data += data
        return len(data)


def passed(raw: bytes, data_format: str, size: int) -> bytes:
    taken = Taken()
    safe = SpreadsheetSafe(taken, data_format)
    for start in range(0, len(raw), size):
        safe.write(raw[start : start + size])
    safe.finish()
    return taken.data


def as_clickhouse(rows: Sequence[Sequence[str]]) -> str:
    """Texts in quotes, numbers without."""
    cells = [[c if is_number(c) else '"' + c.replace('"', '""') + '"' for c in row] for row in rows]
    return "".join(",".join(row) + "\n" for row in cells)


@given(TEXTS)
@example("=1+1")
@example(" =1+1")
@example("-1+1")
@example("\uff1dcmd")
@example("@SUM(A1)")
@example("\ufeff=1")
def test_no_cell_is_a_formula(text: str) -> None:
    """What was one has a quote in front; nothing is lost."""
    safe = neutral(text)
    assert is_number(safe) or not is_formula(safe)
    assert safe.replace("'", "") == text.replace("'", "")


@given(NUMBERS)
@example("-0.000000000001")
@example("-1e-05")
@example("+5")
def test_numbers_stay_numbers(number: str) -> None:
    """Negative ones too."""
    assert neutral(number) == number


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "P", "S"]), max_size=20))
def test_plain_texts_stay_as_they_are(text: str) -> None:
    """Only what begins like a formula is changed."""
    assert neutral(text) == text
    assert neutral(f"a{text}-b") == f"a{text}-b"


@given(st.lists(st.lists(TEXTS | NUMBERS, min_size=2, max_size=3), min_size=1, max_size=4), st.integers(1, 40))
def test_csv_stays_csv(rows: list[list[str]], size: int) -> None:
    """The same cells, neutral, wherever the stream is cut; what needs no change is byte for byte the same."""
    raw = as_clickhouse(rows).encode()
    shown = passed(raw, "CSVWithNames", size)
    found = list(csv.reader(io.StringIO(shown.decode(), newline="")))
    assert found == [[neutral(cell) for cell in row] for row in rows]
    if all(neutral(cell) == cell for row in rows for cell in row):
        assert shown == raw


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=3), min_size=1, max_size=4))
def test_another_separator_starts_no_formula(rows: list[list[str]]) -> None:
    """A spreadsheet that cuts at semicolons finds cells that we did not make."""
    shown = passed(as_clickhouse(rows).encode(), "CSV", 1000).decode()
    for line in shown.splitlines():
        assert not any(piece.lstrip(' "')[:1] in tuple("=+@\uff1d") for piece in line.split(";")[1:])


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_tsv_too(size: int) -> None:
    """Escaped as ClickHouse does it, and raw."""
    raw = "a\t=1+1\t-1.50\n\\t=cmd\t\uff0bx\t\\N\n".encode()
    assert passed(raw, "TSV", size).decode() == "a\t'=1+1\t-1.50\n'\\t=cmd\t'\uff0bx\t\\N\n"


def test_other_formats_and_dialects_are_refused() -> None:
    """Where we could not tell cells apart."""
    with pytest.raises(ConfigError, match="goes with --format CSV"):
        refuse_others("Parquet", "SELECT 1")
    with pytest.raises(ConfigError, match="settings of the format"):
        refuse_others("CSV", "SELECT 1 SETTINGS format_csv_delimiter = ';'")

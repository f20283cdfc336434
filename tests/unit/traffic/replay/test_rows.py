"""Reading lines from files that may be hostile."""

from pathlib import Path

import pytest

from spendstream_traffic.replay.rows import MAX_LINE_BYTES, BadRow, csv_rows, text_lines, whole_number
from stream_jobs.base.errors import ConfigError
from tests.unit.traffic.replay.build import write


def test_an_endless_line_is_skipped_not_read(tmp_path: Path) -> None:
    """A line above the bound is one bad row, in CSV and in JSONL; its neighbours are read."""
    path = write(tmp_path / "f", ["a,b", "1,2", b"x" * (3 * MAX_LINE_BYTES), "3,4"])
    items = list(csv_rows(path, ("a",)))
    assert items[0] == (2, {"a": "1", "b": "2"})
    assert isinstance(items[1], BadRow)
    assert items[1].line == 3
    assert items[2] == (4, {"a": "3", "b": "4"})
    kinds = [item.line if isinstance(item, BadRow) else item[0] for item in text_lines(path)]
    assert kinds == [1, 2, 3, 4]


def test_bytes_that_are_not_utf8_do_not_stop_the_reading(tmp_path: Path) -> None:
    """They stay in their row as lone surrogates, which the contract refuses in every text field."""
    path = write(tmp_path / "f", ["a", b"\xff\xfe", "ok"])
    assert [item[1]["a"] for item in csv_rows(path, ("a",)) if not isinstance(item, BadRow)] == ["\udcff\udcfe", "ok"]


def test_a_quoted_cell_may_span_lines(tmp_path: Path) -> None:
    """The number is that of the record's last line, so that ids stay unique."""
    path = write(tmp_path / "f", ["a,b", '"x', 'y",1', "z,2"])
    assert list(csv_rows(path, ("a",))) == [(3, {"a": "x\ny", "b": "1"}), (4, {"a": "z", "b": "2"})]


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two would count?"""
    with pytest.raises(ConfigError, match="names a twice"):
        list(csv_rows(write(tmp_path / "f", ["a,b,a"]), ("a",)))


@pytest.mark.parametrize(("text", "value"), [("7", 7), (" 7 ", 7), ("7.0", 7), ("1053.000", 1053)])
def test_counts_may_be_written_as_decimals(text: str, value: int) -> None:
    """Spreadsheets and pandas write 1053.0."""
    assert whole_number(text, "n") == value


@pytest.mark.parametrize("text", ["", "7.5", "7.", "x", "-1", "1e3", "nan", "٣.x"])
def test_other_texts_are_no_counts(text: str) -> None:
    """Nothing is rounded or guessed."""
    with pytest.raises(ValueError, match="n is"):
        whole_number(text, "n")

"""Tables for the page and for the terminal."""

from tests.benchmarks.harness.tables import Table, markdown, terminal

TABLE = Table("Recall", ("shape", "found"), [("spike10", "9 of 10"), ("a|b", "0")], "Ten trials.")


def test_markdown() -> None:
    """A heading, the rows, the note; a cell's bar does not end it."""
    assert list(markdown([TABLE])) == [
        "### Recall", "",
        "| shape | found |", "|---|---|", "| spike10 | 9 of 10 |", "| a/b | 0 |", "",
        "Ten trials.", "",
    ]  # fmt: skip


def test_terminal() -> None:
    """In columns."""
    assert list(terminal(TABLE)) == ["", "Recall", "shape    found", "spike10  9 of 10", "a|b      0", "Ten trials."]


def test_a_table_without_rows_is_its_note() -> None:
    """What was not measured is said."""
    empty = Table("NAB", (), note="Not measured.")
    assert list(markdown([empty])) == ["### NAB", "", "Not measured.", ""]
    assert list(terminal(empty)) == ["", "NAB", "Not measured."]

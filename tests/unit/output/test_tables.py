"""Tables: plain lines into a pipe, whole words on a terminal."""

import io
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from stream_jobs.output.console import Console
from stream_jobs.output.tables import Facts, Lines, Table
from tests.unit.output.hostile import HOSTILE, OURS, foreign

SUMMARY = "search is over budget and has been so for quite a while"
ID = "budget:products.agents/search-and-rescue/2026-11-01T00:00:00Z/critical-and-then-some"


def alerts() -> Table:
    table = Table(title="Alerts", header_style="bold")
    table.add_column("", width=1)
    table.add_column("what", overflow="fold")
    table.add_column("at stake", justify="right")
    table.add_column("id")
    table.add_row("", SUMMARY, "$2.25", Text(ID, "dim"))
    table.add_row("█", "", "$1,000.00", "dq/unpriced")
    return table


def printed(table: Table, out: io.StringIO) -> str:
    Console(file=out, highlight=False).print(table)
    return out.getvalue()


def test_a_pipe_gets_rows_of_whole_cells() -> None:
    """The title, the heads and each row on a line; an empty cell keeps its place; decoration is left out."""
    assert printed(alerts(), io.StringIO()).split("\n") == [
        "Alerts",
        "what\tat stake\tid",
        f"{SUMMARY}\t$2.25\t{ID}",
        "\t$1,000.00\tdq/unpriced",
        "",
    ]


def test_cut_finds_the_ids() -> None:
    """What people do: cut a column out, and hand it on."""
    text = printed(alerts(), io.StringIO())
    done = subprocess.run(["cut", "-sf3"], input=text, capture_output=True, text=True, check=True)
    assert done.stdout == f"id\n{ID}\ndq/unpriced\n"


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), max_size=5))
def test_whatever_the_cells_are_a_row_is_a_line(rows: list[list[str]]) -> None:
    """And has as many cells as the heads."""
    table = Table("a", "b", "c")
    for row in rows:
        table.add_row(*row)
    lines = printed(table, io.StringIO()).removesuffix("\n").split("\n")
    assert len(lines) == 1 + len(rows)
    assert {line.count("\t") for line in lines} == {2}


def test_several_lines_in_a_cell_are_one_in_a_pipe() -> None:
    """Of a list without heads too."""
    grid = Table.grid()
    grid.add_row("why", Lines(["feature chat", "user ann"]))
    assert printed(grid, io.StringIO()) == "why\tfeature chat; user ann\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_a_terminal_shows_every_word_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table as wide as the terminal, or upright where that is too narrow."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    text = OURS.sub("", printed(alerts(), Terminal()))
    for word in (*SUMMARY.split(), "$1,000.00", ID):
        assert word in text
    lines = text.splitlines()
    if any(character in text for character in "┏┃"):
        assert max(map(len, lines)) <= width
    else:
        assert "id        " + ID in lines


def test_a_table_of_hostile_texts_commands_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In every form that it takes."""
    for out, width in ((io.StringIO(), "80"), (Terminal(), "40"), (Terminal(), "600")):
        monkeypatch.setenv("COLUMNS", width)
        table = Table(HOSTILE, "b", title=HOSTILE)
        table.add_row(HOSTILE, Text(HOSTILE, "red"))
        shown = printed(table, out)
        assert foreign(shown) == []
        assert r"\x1b]52;c;" in shown


def test_a_piped_table_of_answers_keeps_every_blank_and_column() -> None:
    """Also of a column that is called nothing."""
    table = Table("a", " ", exact=True)
    table.add_row(" x ", Text(" y"))
    assert printed(table, io.StringIO()) == "a\t \n x \t y\n"


def test_facts_show_instants_in_their_one_form() -> None:
    """Not as Python writes them."""
    assert (
        printed(Facts([("at", datetime(2026, 3, 1, 12, 0, 7, 5, UTC))]), io.StringIO())
        == "at\t2026-03-01 12:00:07 UTC\n"
    )

"""The console: our styling, and texts that stay texts."""

import io
import sys
from typing import Any

import pytest
from rich.padding import Padding
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from stream_jobs.output.console import Console, Status, progress_bars
from stream_jobs.output.streams import guarded
from stream_jobs.output.tables import Lines, Table
from tests.unit.output.hostile import HOSTILE, OURS, foreign


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def table() -> Table:
    found = Table(HOSTILE, title=HOSTILE, caption=HOSTILE)
    found.add_column(Text(HOSTILE, "red"), HOSTILE, overflow="fold")
    found.add_row(HOSTILE, Text(HOSTILE, "bold"))
    return found


def linked() -> Text:
    text = Text(HOSTILE)
    text.stylize(Style(link=f"http://evil.test/{HOSTILE}"))
    return text


@pytest.mark.parametrize(
    "printed",
    [
        *(HOSTILE, Text(HOSTILE), Text.assemble(("x", "bold"), HOSTILE), Lines([HOSTILE, Text(HOSTILE, "red")])),
        *(table(), Padding(HOSTILE, 1), Padding(Text(HOSTILE), 1), Panel(HOSTILE, title=HOSTILE), [HOSTILE], linked()),
    ],
    ids=lambda item: type(item).__name__,
)
def test_no_text_commands_the_terminal(printed: Any, terminal: Terminal) -> None:
    """However deep it lies, and whatever it pretends to be."""
    Console(file=terminal).print(printed)
    shown = terminal.getvalue()
    assert foreign(shown) == []
    plain = OURS.sub("", shown)
    assert r"\x1b]52;c;" in plain
    assert "[bold]b[/bold]" in plain
    assert ":smile:" in plain


def test_a_cell_and_a_line_are_one_line(terminal: Terminal) -> None:
    """A line end in a name makes no row and no message."""
    console = Console(file=terminal, highlight=False)
    console.print("a\nb")
    console.print(Text("a\nb"))
    grid = Table.grid()
    grid.add_row("a\nb", Text("c\nd", "red"))
    console.print(grid)
    lines = terminal.getvalue().splitlines()
    assert lines[:2] == [r"a\nb", r"a\nb"]
    assert lines[2:] == ["a\\nb\x1b[31mc\\nd\x1b[0m"]


def test_styles_stay_where_they_were(terminal: Terminal) -> None:
    """An escaped character belongs to the style that it had."""
    text = Text.assemble(("\x1b", "red"), "plain", ("\u202e", "bold"))
    Console(file=terminal, highlight=False).print(text)
    assert terminal.getvalue() == "\x1b[31m\\x1b\x1b[0mplain\x1b[1m\\u202e\x1b[0m\n"


def test_what_others_write_stands_above_a_bar(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escaped; rich's own redirection would obey it."""
    monkeypatch.setattr(sys, "stderr", terminal)
    with guarded(), progress_bars() as progress:
        progress.add_task("sending", total=2)
        sys.stderr.write(f"first {HOSTILE}")
        sys.stderr.write("more\nunfinished")
    shown = terminal.getvalue()
    assert foreign(shown) == []
    assert "sending" in shown
    assert shown.index("first a\\x1b]52;c;") < shown.rindex("sending")
    assert shown.endswith("unfinished")


def test_what_is_being_done_is_a_text(terminal: Terminal) -> None:
    """The moving mark's too."""
    with Status(Console(file=terminal), HOSTILE) as status:
        status.update(HOSTILE + "2")
    assert foreign(terminal.getvalue()) == []
    assert r"\x1b]52;c;" in terminal.getvalue()

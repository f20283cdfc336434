"""Findings on a terminal of any width and in a pipe, as they are shown: golden/*.txt is what people see.

After a change that is meant: `python -m tests.unit.anomalies.test_terminal`, and look at what has become of them.
"""

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from stream_jobs.anomalies.around import Around, Point
from stream_jobs.anomalies.cause import Cause
from stream_jobs.anomalies.terminal import Shown, findings_table, print_finding
from stream_jobs.output.console import Console
from tests.unit.anomalies.build import MINUTE, START, around, found, shown
from tests.unit.output.hostile import HOSTILE, OURS, foreign

GOLDEN: Final = Path(__file__).parent / "golden"
WIDTHS: Final = (80, 200)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(whole: Shown, width: int) -> str:
    """As it is printed, without colours."""
    out = _Terminal()
    console = Console(file=out, highlight=False)
    console.width = width
    print_finding(console, whole)
    return "".join(f"{line.rstrip()}\n" for line in OURS.sub("", out.getvalue()).splitlines())


def in_pipe(whole: Shown) -> str:
    out = io.StringIO()
    print_finding(Console(file=out, highlight=False), whole)
    return out.getvalue()


def drop() -> Shown:
    """An open silence of all requests, by hours, whose cause nobody knows."""
    hour = 60 * MINUTE
    points = tuple(
        Point(START + hour * number, Decimal(0 if number >= 0 else 900), Decimal(1000), Decimal(700), Decimal(1300))
        for number in range(-12, 5)
    )
    changes: dict[str, Any] = {
        **{"state": "open", "closing": "", "ends_at": None, "kind": "silence", "direction": "down", "series": {}},
        **{"measure": "events", "expected": Decimal(4000), "actual": Decimal(0), "low": Decimal(2800)},
        **{"high": Decimal(5200), "per_day": Decimal(-24000), "mark": "", "note": "", "marked_by": ""},
    }
    silence = found(silenced_by="event:datacenter-move", known_until=START + 4 * hour, **changes)
    return replace(
        shown(), found=silence, now=START + 4 * hour, around=Around(hour, points), cause=Cause(), history=(), group=()
    )


def pictures() -> dict[str, str]:
    """By file."""
    wide = {f"burst-{width}.txt": on_terminal(shown(), width) for width in WIDTHS}
    return wide | {"burst-pipe.txt": in_pipe(shown())} | {f"drop-{WIDTHS[0]}.txt": on_terminal(drop(), WIDTHS[0])}


@pytest.mark.parametrize("name", sorted(pictures()))
def test_what_people_see_is_what_was_looked_at(name: str) -> None:
    """To the letter."""
    assert pictures()[name] == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [70, 80, 120, 200])
def test_a_drawing_is_as_wide_as_the_terminal_at_most(width: int) -> None:
    """However many points there are; below 70 columns it may stay 70 wide."""
    for peak, minutes in ((12, 105), (2000, 400), (1, 7)):
        text = on_terminal(replace(shown(), around=around(peak, minutes)), width)
        drawn = [line for line in text.splitlines() if any(mark in line for mark in "┤│└┘▒█░▲")]
        assert max(map(len, (line for line in drawn if "┃" not in line))) <= width


def test_nothing_known_is_not_drawn() -> None:
    """Figures that have left the store."""
    gone = Around(MINUTE, (Point(START, None),))
    assert "┤" not in on_terminal(replace(shown(), around=gone), 80)


def test_no_text_commands_the_terminal() -> None:
    """Names, notes, causes and ids of others: shown, never obeyed; no line is forged."""
    whole = shown(HOSTILE, found=found(HOSTILE, finding_id=HOSTILE, silenced_by=HOSTILE, kind=HOSTILE, closing=HOSTILE))
    for text in (on_terminal(whole, 200), in_pipe(whole)):
        assert foreign(text) == []
        assert r"\x1b]52;c;" in text
        assert "fake: all is well" not in [line.strip() for line in text.splitlines()]
    out = io.StringIO()
    Console(file=out).print(findings_table([whole.found]))
    assert foreign(out.getvalue()) == []


def test_a_very_long_name_breaks_nothing() -> None:
    """One that has no blanks either; in Arabic, too."""
    for name in ("x" * 3000, "واحد " * 300, "検索" * 500):
        assert on_terminal(shown(name), 80).count("│") >= 8


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for file, text in pictures().items():
        (GOLDEN / file).write_text(text, encoding="utf-8")

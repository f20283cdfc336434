"""The course of a budget's period on terminals of any width, and where there is none."""

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from stream_jobs.forecasts.course import course_of
from stream_jobs.forecasts.course_text import MOST_ROWS, gone_text, print_course
from stream_jobs.forecasts.terminal import LIMIT
from stream_jobs.output.console import Console
from tests.unit.forecasts.seen import HOUR, NOW, hours
from tests.unit.forecasts.test_course import DAY, course


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(width: int, limit: int = 90) -> str:
    out = Terminal()
    console = Console(file=out)
    console.width = width
    print_course(console, course(limit=limit))
    return re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())


@pytest.mark.parametrize(
    ("width", "band", "line"), [(140, True, True), (70, False, True), (50, False, True), (30, False, False)]
)
def test_what_does_not_fit_is_left_out(width: int, band: bool, line: bool) -> None:
    """First the band's figures, where they leave no room to draw; then what is drawn. Nothing is wider than there is
    room, but for a sentence, which a terminal wraps."""
    text = shown(width)
    assert ("to $102.00" in text) == band
    assert (text.count(LIMIT) > 1) == line
    assert ("2026-11-30 18:00" in text) == (width > 30)
    if width > 30:
        assert max(map(len, text.splitlines())) <= width


def test_a_pipe_has_a_line_for_each_hour_and_nothing_drawn() -> None:
    out = io.StringIO()
    print_course(Console(file=out), course(limit=60))
    assert "2026-11-30 12:00\t$30.00\t\n" in out.getvalue()
    assert "2026-11-30 18:00\t$90.00\t$78.00 to $102.00\n" in out.getvalue()
    assert out.getvalue().endswith("$60.00: gone on 2026-11-30 15:00 UTC (P50)\n")
    assert "▒" not in out.getvalue()


def test_long_periods_are_told_in_few_rows_up_to_their_end() -> None:
    end = NOW + 700 * HOUR
    long = course_of(replace(DAY, period_end=end), Decimal(1), [NOW - HOUR], {}, hours(700))
    assert long is not None
    out = io.StringIO()
    print_course(Console(file=out), long)
    rows = [line for line in out.getvalue().splitlines() if "\t" in line][1:]
    assert MOST_ROWS / 2 < len(rows) <= MOST_ROWS
    assert rows[-1].startswith(f"{end:%Y-%m-%d %H:%M}")


def test_when_it_is_gone_is_said_in_words() -> None:
    assert gone_text(course(limit=20)) == "gone"
    assert gone_text(course(limit=90)) == "lasts (1 in 10: 2026-11-30 17:00)"
    assert gone_text(course(limit=500)) == "lasts"

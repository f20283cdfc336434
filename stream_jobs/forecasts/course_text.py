"""The course of a budget's period on a terminal."""

from typing import Final

from rich.text import Text

from stream_jobs.base.readable import instant
from stream_jobs.forecasts.course import Course
from stream_jobs.forecasts.read import Band
from stream_jobs.forecasts.terminal import BAR, LIMIT, drawn, in_words
from stream_jobs.output.console import Console
from stream_jobs.output.tables import Table

MOST_ROWS: Final = 32
"""Of more cells every so many-th is shown, up to the last one."""
WIDEST: Final = 48
NARROWEST: Final = 12
"""Of what is drawn. Where there is less room, figures alone are shown."""
SPENT: Final = "spent, P50"
_LINES: Final = 3
"""What a column takes beside its cells: two blanks and a line."""


def print_course(console: Console, course: Course) -> None:
    """What is spent and will be by the end of each cell, drawn beside the amount, and when that is gone. Where there is
    little room the band's figures are left out, and then the drawing."""
    unit, made = course.budget.unit, course.budget.made
    rows = [(at, Band(spent, spent, spent), unit.text(spent), "") for at, spent in course.came]
    rows += [(at, band, unit.text(band.p50), _between(course, band)) for at, band in course.ahead]
    rows = rows[::-1][:: -(-len(rows) // MOST_ROWS)][::-1]
    least = len(instant(rows[0][0])), max(len(SPENT), *(len(row[2]) for row in rows))
    left = console.width - 1 - sum(_LINES + size for size in least)
    banded = left - _LINES - max(len(row[3]) for row in rows)
    has_band = not console.is_terminal or banded - _LINES >= BAR
    wide = min(WIDEST, (banded if has_band else left) - _LINES)
    heads = ["by (UTC)", SPENT, *["P10 to P90"][:has_band], *[""][: wide >= NARROWEST]]
    table = Table(header_style="bold", title=f"{course.budget.name} by the {made.grain}, and its amount {LIMIT}")
    for head in heads:
        table.add_column(head, justify="right" if "P" in head else "left", no_wrap=not head, overflow="crop")
    for at, band, middle, between in rows:
        line = drawn(band, course.most, max(wide, 1), course.limit)
        told = (instant(at), middle, *[between][:has_band])
        drawing = Text(line, "red" if band.p50 > course.limit else "")
        table.add_row(*told, *[drawing][: len(heads) - len(told)])
    console.print(table)
    console.print(Text(f"{unit.text(course.limit)}: {gone_text(course)}"))


def gone_text(course: Course) -> str:
    """When the amount is gone, by P50: 'gone on 2026-12-01 10:00 UTC', 'lasts (1 in 10: 2026-12-01 10:00)'."""
    said = in_words(course.budget.spent, course.limit, course.gone, "lasts")
    return said if course.gone[1] is None or said == "gone" else f"gone on {said} UTC (P50)"


def _between(course: Course, band: Band) -> str:
    low, _, high = map(course.budget.unit.text, band)
    return f"{low} to {high}"

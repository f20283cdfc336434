"""A finding's figures as a drawing of characters, for a terminal of any width and for a pipe.

One column or several per point. What is usual of a point is hatched, what is beyond its band within the finding is
solid, and the band is dotted where the point does not reach: it can be read without colours.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final, NamedTuple

from rich.text import Text

from stream_jobs.anomalies.around import Around, Point
from stream_jobs.anomalies.found import Found
from stream_jobs.anomalies.words import amount, drawn_in
from stream_jobs.base.readable import end_of, instant

HEIGHT: Final = 10
NARROWEST: Final = 20
"""Columns that points need, beside the labels."""
WIDEST_POINT: Final = 4
USUAL, BEYOND, BAND, MARK, AXIS = "▒", "█", "░", "▲", "─"
LEGEND: Final = f"{USUAL} usual  {BEYOND} beyond the band  {BAND} the band  {MARK} the finding"
_EIGHTHS: Final = "▁▂▃▄▅▆▇█"
_STYLES: Final = {USUAL: "blue", BAND: "dim", AXIS: "dim", MARK: "bold red"}
_LABELS: Final = 14


class _Scale(NamedTuple):
    bottom: Decimal
    cell: Decimal  # the amount of one line

    def floor_of(self, row: int) -> Decimal:
        """The least amount of a line, counted from above."""
        return self.bottom + self.cell * (HEIGHT - 1 - row)


def points_for(width: int) -> int:
    """How many points fit into lines of this width."""
    return max(width - _LABELS, NARROWEST)


def drawing(around: Around, found: Found, width: int) -> Iterator[Text]:
    """Lines of at most `width` characters (70 are needed); none where nothing is known."""
    if not around.known:
        return
    around = around.coarser(points_for(width))
    points, scale = around.points, _scale(around.points)
    labels = {row: amount(found.measure, scale.floor_of(row - 1)) for row in (0, HEIGHT // 2)}
    labels[HEIGHT] = amount(found.measure, scale.bottom)
    gutter = max(map(len, labels.values()))
    each = max(1, min((width - gutter - 2) // len(points), WIDEST_POINT))
    inside = [around.holds(found, point) for point in points]
    high = [found.direction == "up" and around.shows(found, point) for point in points]
    for row in range(HEIGHT):
        label = f"{labels.get(row, '').rjust(gutter)} {'┤' if row in labels else '│'}"
        yield _line(
            label, [_cell(point, scale, row, is_high) for point, is_high in zip(points, high, strict=True)], each
        )
    yield _line(f"{labels[HEIGHT].rjust(gutter)} └", [MARK if is_in else AXIS for is_in in inside], each)
    yield Text(" " * (gutter + 2) + _times(points, inside, each), "dim")
    yield Text(f"{' ' * (gutter + 2)}{drawn_in(found.measure, around.step)}", "dim")
    yield Text(f"{' ' * (gutter + 2)}{LEGEND}", "dim")


def _line(label: str, cells: Sequence[str], each: int) -> Text:
    line = Text.assemble((label, "dim"))
    for character, run in groupby(cells):
        line.append(character * (len(list(run)) * each), _STYLES.get(character, "red"))
    line.rstrip()
    return line


def _scale(points: Sequence[Point]) -> _Scale:
    known = [value for point in points for value in (point.actual, point.high) if value is not None]
    bottom = min(Decimal(0), *(point.actual for point in points if point.actual is not None), Decimal(0))
    top = max(known)
    return _Scale(bottom, (top - bottom) / HEIGHT if top > bottom else Decimal(1))


def _cell(point: Point, scale: _Scale, row: int, is_beyond: bool) -> str:
    floor = scale.floor_of(row)
    if point.actual is not None and point.actual > floor:
        beyond = is_beyond and point.high is not None and floor >= point.high
        share = (point.actual - floor) / scale.cell
        if share >= 1:
            return BEYOND if beyond else USUAL
        if beyond or row == HEIGHT - 1 or point.high is None:
            return _EIGHTHS[int(share * 8)] if beyond or share < Decimal("0.5") else USUAL
        if share >= Decimal("0.5"):
            return USUAL
    has_band = point.low is not None and point.high is not None
    return BAND if has_band and point.low < floor + scale.cell and point.high > floor else " "  # type: ignore[operator]


def _times(points: Sequence[Point], inside: Sequence[bool], each: int) -> str:
    """Instants below where they are: the first, where the finding begins, the last; as many as there is room for."""
    line, first = "", points[0].at
    begin = inside.index(True) if True in inside else 0
    for at in sorted({0, begin, len(points) - 1}):
        text, place = (end_of(first, points[at].at) if at else instant(first)), at * each
        place = min(place, max(len(points) * each - len(text), 0))
        if not line or place > len(line) + 1:
            line = line.ljust(place) + text
    return line

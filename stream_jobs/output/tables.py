"""Tables, for people and for what reads them.

On a terminal a table is as wide as that, and no word in it is broken: an id can be copied. One that is too wide stands
upright, a line per cell. Into a file or a pipe go plain lines for `cut` and `awk`: the title if there is one, the
heads, then a row each, whole cells with a tab between them (a tab in a cell is written `\\t`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast

import rich.table
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from stream_jobs.base.readable import clock
from stream_jobs.output.texts import one_line

_ANY_WIDTH: Final = 1_000_000


class Table(rich.table.Table):
    """A table whose cells, heads and title are one line each, whatever is in them. `Lines` are several.

    A column without a head is decoration, which plain lines leave out, in a table whose other columns have heads; but
    for one that is `exact`, of which all columns and all blanks count.
    """

    def __init__(self, *headers: Any, title: Any = None, exact: bool = False, **options: Any) -> None:
        self._exact = exact
        options.setdefault("title_justify", "left")
        super().__init__(*headers, title=None if title is None else one_line(title), **options)

    @classmethod
    def grid(cls, **options: Any) -> "Table":  # type: ignore[override]
        """Without lines and heads."""
        made = super().grid(**options)
        assert isinstance(made, cls)
        return made

    def add_column(self, header: RenderableType = "", footer: RenderableType = "", **options: Any) -> None:
        super().add_column(one_line(header), one_line(footer), **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(one_line(cell) for cell in cells), **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.file.isatty():
            yield from self._plain()
        elif self._fit(console, options):
            yield from super().__rich_console__(console, options)
        else:
            yield from self._upright()

    def _plain(self) -> Iterable[Segment]:
        with_heads, columns = self._telling()
        lines: list[Sequence[Any]] = [[self.title]] * bool(self.title)
        lines += [[column.header for column in columns]] * with_heads
        lines += zip(*(column.cells for column in columns), strict=True)
        lines += [[column.footer for column in columns]] * self.show_footer
        for line in lines:
            yield Segment("\t".join((_text if self._exact else _words)(cell) for cell in line))
            yield Segment.line()

    def _telling(self) -> tuple[bool, Sequence[rich.table.Column]]:
        """Whether there are heads, and the columns that are no decoration."""
        with_heads = self.show_header and any(_words(column.header) for column in self.columns)
        every = self._exact or not with_heads
        return with_heads, [column for column in self.columns if every or _words(column.header)]

    def _upright(self) -> Iterable[Text]:
        with_heads, columns = self._telling()
        heads = [_words(column.header) for column in columns]
        wide = max(map(len, heads), default=0)
        if self.title:
            yield Text(_words(self.title), "bold")
        for row in zip(*(column.cells for column in columns), strict=True):
            shown = [cell if isinstance(cell, Text) else Text(_words(cell)) for cell in row]
            lines = [[(f"{head:<{wide}}  ", "dim"), cell] for head, cell in zip(heads, shown, strict=True) if cell]
            for line in [*lines, []] if with_heads else [[part for cell in shown for part in (cell, "  ")]]:
                yield Text.assemble(*line, no_wrap=True, overflow="ignore")

    def _fit(self, console: Console, options: ConsoleOptions) -> bool:
        """Share the width out, first to the longest word of each column. False when that is too much.

        A column that says how wide it is (`overflow="ellipsis"`: it may be cut) leaves this to rich.
        """
        if any(column.overflow == "ellipsis" and column.no_wrap for column in self.columns):
            return True
        wide = options.update(max_width=_ANY_WIDTH)
        wanted = []
        for column in self.columns:
            cells = [
                column.header if self.show_header else "",
                *column.cells,
                column.footer if self.show_footer else "",
            ]
            sizes = [Measurement.get(console, wide, cell) for cell in cells]
            wanted.append(Measurement(max(s.minimum for s in sizes), max(s.maximum for s in sizes)))
        for column, size in zip(self.columns, wanted, strict=True):
            column.width = max(size.minimum, 1)
        spare = options.max_width - Measurement.get(console, wide, self).maximum
        if spare < 0:
            return False
        hungry = sorted(zip(self.columns, wanted, strict=True), key=lambda item: item[1].span)
        for left, (column, size) in zip(range(len(hungry), 0, -1), hungry, strict=True):
            more = min(size.span, spare // left)
            column.width, spare = cast(int, column.width) + more, spare - more
        return True


def Facts(facts: Iterable[tuple[str, Any]]) -> Table:  # noqa: N802 - used as rich's own renderables are
    """Names and what they are, a line each; instants in their one form."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for name, value in facts:
        shown = f"{clock(value)} UTC" if isinstance(value, datetime) else value
        table.add_row(name, shown if isinstance(shown, (Text, Group)) else Text(str(shown)))
    return table


def Lines(texts: Iterable[str | Text]) -> Group:  # noqa: N802 - used as rich's own renderables are
    """Several lines, each of them one, whatever is in it."""
    return Group(*(one_line(Text(item) if isinstance(item, str) else item) for item in texts))


def _words(cell: Any) -> str:
    """What a cell says, without the blanks around it."""
    return _text(cell).strip()


def _text(cell: Any) -> str:
    if isinstance(cell, Group):
        return "; ".join(_words(item) for item in cell.renderables)
    return cell.plain if isinstance(cell, Text) else str(cell or "")

"""What a section of the benchmark tells: tables for people, and figures that are held against floors and goals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.harness.results import Figure

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the page. `note`: sizes of samples, what limits the figures, what was not measured and why."""

    title: str
    head: Cells
    rows: Sequence[Cells] = ()
    note: str = ""
    figures: Sequence[Figure] = field(default=())


def markdown(tables: Sequence[Table]) -> Iterator[str]:
    """Lines of a page, without its heading."""
    for table in tables:
        yield from (f"### {table.title}", "")
        if table.rows:
            yield _row(table.head)
            yield "|---" * len(table.head) + "|"
            yield from map(_row, table.rows)
            yield ""
        if table.note:
            yield from (table.note, "")


def terminal(table: Table) -> Iterator[str]:
    """Lines in columns."""
    yield from ("", table.title)
    rows = [table.head, *table.rows] if table.rows else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))] if rows else []
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if table.note:
        yield table.note


def _row(cells: Cells) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"

"""Parts that overlap: cached tokens may be audio, and audio may be cached. Who is both, if nobody said?

The rows of the table are disjoint parts (fresh, cache read, cache write, ...), its columns disjoint modalities. The
sums of rows and columns are known, the cells mostly not. The cells are filled in if there is one way only, or if every
way costs the same; otherwise the usage is ambiguous and has no price.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

Cell = tuple[str, str]


class UnclearSplit(Exception):  # noqa: N818 - it is an answer, not a failure
    """Several splits are possible and they cost different amounts."""


def split(
    whole: int,
    rest_row: str,
    rows: Mapping[str, int],
    columns: Mapping[str, int],
    known: Mapping[Cell, int],
    rate_of: Callable[[str, str], Any],
) -> dict[Cell, int]:
    """Tokens per (row, column), columns including "text".

    `rows` and `columns` are parts of `whole` (what is left over is `rest_row` and "text"); `known` are cells that were
    reported. Raises UnclearSplit if the answer would depend on a guess, or if there is no answer at all.
    """
    row_sums = {rest_row: whole - sum(rows.values()), **rows}
    column_sums = {"text": whole - sum(columns.values()), **columns}
    cells: dict[Cell, int] = {}
    for (row, column), n in known.items():
        cells[(row, column)] = n
        row_sums[row] -= n
        column_sums[column] -= n
    fixed = set(known)
    _fill_forced(row_sums, column_sums, fixed, cells)
    if min(*row_sums.values(), *column_sums.values()) < 0:
        raise UnclearSplit("the parts do not fit together")
    open_rows = [row for row, n in row_sums.items() if n]
    open_columns = [column for column, n in column_sums.items() if n]
    if open_rows and not _costs_are_additive(open_rows, open_columns, fixed, rate_of):
        raise UnclearSplit(f"how much of {' and '.join(open_rows)} is {' or '.join(open_columns)} is not reported")
    _fill_any(row_sums, column_sums, fixed, cells)
    return {(row, column): n for row in row_sums for column in column_sums if (n := cells.get((row, column), 0))}


def _fill_forced(
    row_sums: dict[str, int], column_sums: dict[str, int], fixed: set[Cell], cells: dict[Cell, int]
) -> None:
    """A row (or column) with a single open cell has no choice."""
    progress = True
    while progress:
        progress = False
        for row, n in row_sums.items():
            choices = [c for c, left in column_sums.items() if left > 0 and (row, c) not in fixed]
            if n > 0 and len(choices) == 1 and column_sums[choices[0]] >= n:
                _take(row, choices[0], n, row_sums, column_sums, cells)
                progress = True
        for column, n in column_sums.items():
            choices = [r for r, left in row_sums.items() if left > 0 and (r, column) not in fixed]
            if n > 0 and len(choices) == 1 and row_sums[choices[0]] >= n:
                _take(choices[0], column, n, row_sums, column_sums, cells)
                progress = True


def _take(
    row: str, column: str, n: int, row_sums: dict[str, int], column_sums: dict[str, int], cells: dict[Cell, int]
) -> None:
    cells[(row, column)] = cells.get((row, column), 0) + n
    row_sums[row] -= n
    column_sums[column] -= n


def _costs_are_additive(
    rows: list[str], columns: list[str], fixed: set[Cell], rate_of: Callable[[str, str], Any]
) -> bool:
    """True if rate(row, column) = a(row) + b(column) everywhere: then every split of the same sums costs the same."""
    if any((row, column) in fixed for row in rows for column in columns):
        return False
    rates = {(row, column): rate_of(row, column) for row in rows for column in columns}
    if len({id(rate) for rate in rates.values()}) == 1:
        return True
    terms = {cell: getattr(rate, "terms", None) for cell, rate in rates.items()}
    if None in terms.values():
        return False
    for attribute in ("listed", "contracted", "effective"):
        value = {cell: getattr(term, attribute) for cell, term in terms.items()}
        corner = value[(rows[0], columns[0])]
        for row in rows:
            for column in columns:
                if value[(row, column)] - value[(row, columns[0])] != value[(rows[0], column)] - corner:
                    return False
    return True


def _fill_any(row_sums: dict[str, int], column_sums: dict[str, int], fixed: set[Cell], cells: dict[Cell, int]) -> None:
    """Any split will do: fill from the top left."""
    for row, column in product(row_sums, column_sums):
        n = min(row_sums[row], column_sums[column])
        if n > 0 and (row, column) not in fixed:
            _take(row, column, n, row_sums, column_sums, cells)
    if any(row_sums.values()) or any(column_sums.values()):
        raise UnclearSplit("the parts do not fit together")

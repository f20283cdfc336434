"""Rows as columns, where a value that its column cannot hold costs its own row and no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from stream_jobs.base.no_pandas import arrow_without_pandas

Row = dict[str, Any]
UNFIT: Final = (pa.ArrowException, ValueError, TypeError, ArithmeticError)
"""What pyarrow raises for values that a column cannot hold."""
MAX_DETAIL: Final = 500


@dataclass(frozen=True, slots=True)
class Misfit:
    """Which column cannot hold its value, and what pyarrow says about it."""

    column: str
    detail: str


def as_table(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """All columns of the schema, in its order. A missing one is a KeyError; raises UNFIT."""
    arrow_without_pandas()
    columns = [pa.array([row[column.name] for row in rows], type=column.type) for column in schema]
    return pa.table(columns, schema=schema)


def fitted(schema: pa.Schema, rows: Sequence[Row]) -> tuple[pa.Table, dict[int, Misfit]]:
    """The rows that fit, and by its index why each of the others does not.

    Found by halves: a few among many cost about as much as two more tables.
    """
    try:
        return as_table(schema, rows), {}
    except UNFIT:
        misfits: dict[int, Misfit] = {}
        _find(schema, rows, 0, misfits)
    return as_table(schema, [row for index, row in enumerate(rows) if index not in misfits]), misfits


def _find(schema: pa.Schema, rows: Sequence[Row], first: int, misfits: dict[int, Misfit]) -> None:
    try:
        as_table(schema, rows)
    except UNFIT as error:
        if len(rows) == 1:
            misfits[first] = _misfit(schema, rows[0], error)
            return
        middle = len(rows) // 2
        _find(schema, rows[:middle], first, misfits)
        _find(schema, rows[middle:], first + middle, misfits)


def _misfit(schema: pa.Schema, row: Row, error: Exception) -> Misfit:
    for column in schema:
        try:
            pa.array([row[column.name]], type=column.type)
        except UNFIT as found:
            return Misfit(column.name, printable(f"{column.type} cannot hold it: {found}"))
    return Misfit("", printable(repr(error)))


def printable(text: str) -> str:
    """Short, and text that every store takes: what an error quotes may be half of a surrogate pair."""
    return text[:MAX_DETAIL].encode("utf-8", "backslashreplace").decode()

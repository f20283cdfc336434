"""Columns of amounts as whole numbers, and exact sums of them."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

from stream_jobs.base.money import PICO_PER_USD, PICO_PLACES
from stream_jobs.explain.model import Codes, Exact

MAX_DIGITS: Final = 26
"""Before the point, as in the ledger."""
_EXACT: Final = Context(prec=80, rounding=ROUND_HALF_EVEN)
_MAX_SUM: Final = 2.0**62


def pico(value: Decimal) -> int:
    """In units of 1e-12, to the nearest. Raises ValueError for what is no number, or larger than a ledger holds."""
    if not value.is_finite():
        raise ValueError("is no finite number")
    if value and value.adjusted() >= MAX_DIGITS:
        raise ValueError(f"has more than {MAX_DIGITS} digits before the point")
    if value.adjusted() < -2 * PICO_PLACES:
        return 0
    return int(_EXACT.to_integral_value(_EXACT.scaleb(value, PICO_PLACES)))


def exact(values: Sequence[int]) -> Exact:
    """As an array whose sums are right: of 64 bits where that holds all of them together."""
    if sum(map(abs, values)) < _MAX_SUM:
        return np.array(values, np.int64)
    whole = np.empty(len(values), object)
    whole[:] = values
    return whole


def column_of(column: pa.ChunkedArray) -> list[int]:
    """In units of 1e-12; NULL is 0. Raises ValueError for what is no number."""
    kind = column.type
    if pa.types.is_integer(kind):
        return [(value or 0) * PICO_PER_USD for value in column.to_pylist()]
    if pa.types.is_decimal(kind):
        return [pico(value) if value else 0 for value in column.to_pylist()]
    if pa.types.is_floating(kind):
        return [pico(Decimal(repr(value))) if value else 0 for value in column.to_pylist()]
    raise ValueError(f"is of type {kind}, and no number")


def grouped(values: Exact, groups: Codes, count: int) -> Exact:
    """The exact sum of each of the groups 0 to count - 1, each of which has at least one value."""
    if not count:
        return values[:0]
    order = np.argsort(groups, kind="stable")
    firsts = np.searchsorted(groups[order], np.arange(count))
    return np.asarray(np.add.reduceat(values[order], firsts))


def total(values: Exact) -> int:
    return int(values.sum()) if len(values) else 0


def in_common_unit(columns: Iterable[list[int]]) -> tuple[list[list[int]], int]:
    """Counts, which come in units of 1e-12: whole ones as they are. Returns the columns and what a unit is one of."""
    kept = list(columns)
    if any(value % PICO_PER_USD for column in kept for value in column):
        return kept, PICO_PER_USD
    return [[value // PICO_PER_USD for value in column] for column in kept], 1

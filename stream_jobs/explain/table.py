"""A table of cells before and after: what its columns are called, and what they hold."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import pyarrow as pa

from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.explain.amounts import column_of, exact, grouped, in_common_unit
from stream_jobs.explain.model import Amounts, Cells, Codes, Dimension

REQUESTS: Final = "requests"
COST: Final = "cost"
BEFORE: Final = "_before"
AFTER: Final = "_after"
NEEDED: Final = tuple(f"{name}{period}" for name in (REQUESTS, COST) for period in (BEFORE, AFTER))
INPUT: Final = "input_tokens"  # with what was read from and written to caches, as in the ledger
UNCACHED: Final = "uncached_input_tokens"  # without
READ: Final = "cache_read_tokens"
WRITE: Final = "cache_write_tokens"
OUTPUT: Final = "output_tokens"
TOKENS: Final = "tokens"  # of all kinds
METERS: Final = (INPUT, UNCACHED, READ, WRITE, OUTPUT, TOKENS)
MAX_DIMENSIONS: Final = 32


def amount_columns(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The dimensions, and the meters that have columns. Raises ValueError that says what is wrong with the names."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"has more than one column {', '.join(doubled)}")
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise ValueError(f"has no column {', '.join(missing)}")
    known = {f"{meter}{period}" for meter in METERS for period in (BEFORE, AFTER)}
    meters = [meter for meter in METERS if f"{meter}{BEFORE}" in names or f"{meter}{AFTER}" in names]
    lacking = [name for meter in meters for name in (f"{meter}{BEFORE}", f"{meter}{AFTER}") if name not in names]
    if lacking:
        raise ValueError(f"has no column {', '.join(lacking)}: tokens are told of both times, or of none")
    odd = [name for name in names if name.endswith((BEFORE, AFTER)) and name not in known and name not in NEEDED]
    if odd:
        raise ValueError(f"has a column {odd[0]}: beside requests and cost, amounts may be {', '.join(METERS)}")
    if INPUT in meters and UNCACHED in meters:
        raise ValueError(f"has both {INPUT} and {UNCACHED}: give one of them")
    dimensions = [name for name in names if name not in known and name not in NEEDED]
    if not dimensions:
        raise ValueError(f"has no dimension: a column beside {', '.join(NEEDED)}")
    if len(dimensions) > MAX_DIMENSIONS:
        raise ValueError(f"has {len(dimensions)} dimensions: {MAX_DIMENSIONS} at most")
    if "" in dimensions:
        raise ValueError("has a column without a name")
    return dimensions, meters


def cells_of(table: pa.Table) -> Cells:
    """Of a table with columns of texts and NEEDED, perhaps those of METERS (numbers of any type; floats are rounded to
    1e-12); rows of one cell add up. NULL is '' and 0. Raises ValueError."""
    dimensions, meters = amount_columns(table.column_names)
    encoded = {name: _encoded(table[name]) for name in dimensions}
    amounts = {}
    for name in (REQUESTS, COST, *meters):
        for column in (f"{name}{BEFORE}", f"{name}{AFTER}"):
            try:
                amounts[column] = column_of(table[column])
            except ValueError as error:
                raise ValueError(f"{column} {error}") from None
    return cells(encoded, amounts)


def cells(dimensions: Mapping[str, tuple[Sequence[str], Codes]], amounts: Mapping[str, list[int]]) -> Cells:
    """Of rows: the distinct values of each dimension and which of them each row has; amounts by the names of
    `amount_columns`, in units of 1e-12."""
    ordered = [_in_order(name, *dimensions[name]) for name in sorted(dimensions)]
    rows = len(amounts[NEEDED[0]])
    cell, firsts = _cell_of_row([dimension.codes for dimension in ordered], rows)
    kept = tuple(Dimension(dim.name, dim.values, dim.codes[firsts]) for dim in ordered)
    meters = [name for name in METERS if f"{name}{BEFORE}" in amounts]

    def pair(name: str, *, money: bool = False) -> Amounts:
        columns, unit = [amounts[f"{name}{BEFORE}"], amounts[f"{name}{AFTER}"]], PICO_PER_USD
        if not money:
            columns, unit = in_common_unit(columns)
        before, after = (grouped(exact(column), cell, len(firsts)) for column in columns)
        return Amounts(before, after, unit)

    return Cells(kept, pair(REQUESTS), pair(COST, money=True), {name: pair(name) for name in meters})


def joined(before: pa.Table, after: pa.Table, scale: Fraction = Fraction(1)) -> pa.Table:
    """One table, for `cells_of`, of two with the same dimensions and with `requests`, `cost` and perhaps meters: what
    was (times `scale`, where that was a stretch of another length) and what is."""
    amounts = [name for name in (REQUESTS, COST, *METERS) if name in before.column_names]
    dimensions = [name for name in before.column_names if name not in amounts]
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        name: pa.chunked_array([*_texts(before[name]).chunks, *_texts(after[name]).chunks], pa.string())
        for name in dimensions
    }
    for name in amounts:
        was, now = column_of(before[name]), column_of(after[name])
        if scale != 1:
            was = [round(value * scale) for value in was]
        columns[f"{name}{BEFORE}"] = _decimals([*was, *[0] * len(now)])
        columns[f"{name}{AFTER}"] = _decimals([*[0] * len(was), *now])
    return pa.table(columns)


def _decimals(values: Iterable[int]) -> pa.Array:
    from stream_jobs.base.money import usd_from_pico

    return pa.array([usd_from_pico(value) for value in values], pa.decimal128(38, 12))


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()).fill_null("")


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], Codes]:
    encoded = _texts(column).combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _in_order(name: str, values: Sequence[str], codes: Codes) -> Dimension:
    """The values that occur, in order: what is found depends neither on the order of rows nor on that of values."""
    used = np.zeros(len(values), bool)
    used[codes] = True
    order = sorted(np.flatnonzero(used).tolist(), key=lambda code: values[code])
    rank = np.zeros(len(values), np.int64)
    rank[order] = np.arange(len(order))
    return Dimension(name, [values[code] for code in order], rank[codes])


def _cell_of_row(columns: Sequence[Codes], rows: int) -> tuple[Codes, Codes]:
    """Which cell each row is of, and the first row of each cell, cells in the order of their values."""
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort(tuple(reversed(columns)))
    new = np.zeros(rows, bool)
    for codes in columns:
        sorted_codes = codes[order]
        new[1:] |= sorted_codes[1:] != sorted_codes[:-1]
    cell = np.empty(rows, np.int64)
    cell[order] = np.cumsum(new)
    new[0] = True
    return cell, order[new]

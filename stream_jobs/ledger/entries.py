"""Ledger entries as columns, decoded when they are needed, and the entries of one event together."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.store.decimals import units_of

LINE_COLUMNS: Final = tuple(name for name in LEDGER_COLUMNS.names if name.startswith("line_"))
PLACE: Final = (*ATTRIBUTION_FIELDS, "category", "subcategory", "unallocated", "price_model", "unpriced_reason")
"""The columns that say under which heading an entry is added up, as far as a correction can change them."""


class Line(NamedTuple):
    """One SKU of a receipt. Quantity and costs are integers of 1e-12, unit prices of 1e-18."""

    sku: str
    meter: str
    list_unit_price: int
    unit_price: int
    quantity: int
    list_cost: int
    cost: int
    effective_cost: int


class Entries:
    """Rows of the ledger. Decimals are integers of their last digit, an instant is a datetime in UTC."""

    def __init__(self, table: pa.Table) -> None:
        """`table` has some of LEDGER_COLUMNS, with their types (see `as_ledger`)."""
        self.table = table.combine_chunks()
        self._values: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def array(self, name: str) -> pa.Array:
        column = self.table.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)

    def values(self, name: str) -> list[Any]:
        """A column as Python values; lists and maps are tuples, so that they can be compared and hashed."""
        found = self._values.get(name)
        if found is None:
            found = self._values[name] = _values(self.array(name))
        return found

    def is_empty(self, name: str) -> bool:
        """True if the column has no value in any row."""
        array = self.array(name)
        return bool(array.null_count == len(array))

    @cached_property
    def places(self) -> list[tuple[Any, ...]]:
        """PLACE of each row."""
        return list(zip(*(self.values(name) for name in PLACE), strict=True))

    def events(self) -> Iterator[list[int]]:
        """The rows of each revision of each event, as they lie in the table.

        Not of each event: another revision may say another time, so it may lie in another stretch of the ledger.
        """
        ids = pc.binary_join_element_wise(self.array("event_id"), pc.cast(self.array("revision"), pa.string()), "\0")
        codes = pc.dictionary_encode(ids)
        if len(codes.dictionary) == len(codes):  # one entry per event: by far the commonest
            yield from ([row] for row in range(len(codes)))
            return
        together: list[list[int]] = [[] for _ in range(len(codes.dictionary))]
        for row, code in enumerate(codes.indices.to_pylist()):
            together[code].append(row)
        yield from together

    @cached_property
    def _lines(self) -> tuple[list[int], tuple[list[Any], ...]]:
        lengths = pc.list_value_length(self.array("line_sku")).to_pylist()
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + length)
        flat = []
        for name in LINE_COLUMNS:
            values = self.array(name).flatten()
            flat.append(_values(values))
        return starts, tuple(flat)

    def lines(self, row: int) -> list[Line]:
        """The receipt of one entry, line by line."""
        starts, columns = self._lines
        sku, meter, quantity, list_unit, unit, listed, cost, effective = columns
        return [
            Line(sku[n], meter[n], list_unit[n], unit[n], quantity[n], listed[n], cost[n], effective[n])
            for n in range(starts[row], starts[row + 1])
        ]

    def net_lines(self, rows: list[int]) -> list[Line]:
        """The receipt that several entries come to: lines that take each other back are gone."""
        if len(rows) == 1:
            return self.lines(rows[0])
        net: dict[tuple[str, str, int, int], list[int]] = {}
        for row in rows:
            for line in self.lines(row):
                sums = net.setdefault(line[:4], [0, 0, 0, 0])
                for index, amount in enumerate(line[4:]):
                    sums[index] += amount
        return [Line(*key, *sums) for key, sums in net.items() if any(sums)]


def _values(array: pa.Array) -> list[Any]:
    kind = array.type
    if pa.types.is_decimal(kind):
        return units_of(array)
    if pa.types.is_timestamp(kind):
        return [from_unix_micros(us) for us in array.cast(pa.int64()).to_pylist()]
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        if len(array.flatten() if pa.types.is_list(kind) else array.keys) == 0:
            return [()] * len(array)
        return [tuple(value) for value in array.to_pylist()]
    if pa.types.is_string(kind) and len(array):
        encoded = pc.dictionary_encode(array)
        if len(encoded.dictionary) * 4 < len(array):  # few texts, many rows: make each once
            texts = encoded.dictionary.to_pylist()
            return [texts[code] for code in encoded.indices.to_pylist()]
    return list(array.to_pylist())


def as_ledger(table: pa.Table) -> pa.Table:
    """What a query of LEDGER_COLUMNS (or some of them) returned, with the types that an insert needs."""
    columns = [
        _retyped(column, LEDGER_COLUMNS.field(name).type)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(columns, schema=pa.schema([LEDGER_COLUMNS.field(name) for name in table.column_names]))


def _retyped(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)

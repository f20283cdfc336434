"""The rows of a plan in its journal: what is about to be inserted, byte for byte."""

import base64
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from stream_jobs.store.arrow_stream import decoded
from stream_jobs.store.tables import COMPARISONS

_EMPTY: Final[Mapping[str, Any]] = {"revision": 0, "partition": 0, "avoided_cost": 0, "events": 0, "unpriced": 0}
_AS: Final[Mapping[str, str]] = {"held_flat": "unpriced"}
"""Columns whose DEFAULT is another one: what was planned before they were there takes back rows that have that."""
_BY_THE_TABLE: Final = frozenset({"subcategory", *COMPARISONS})
"""Nobody said what these are: left out of the insert, they are what the table's DEFAULT makes of the row, as they are
in the rows that it corrects."""


def unpacked(encoded: str, schema: pa.Schema) -> pa.Table:
    """The rows of a stream in base64, in today's columns: a version that was installed in the meantime may have more
    of them."""
    table = decoded(base64.b64decode(encoded))
    return pa.table([_column(table, field) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name in table.column_names:
        return table.column(field.name)
    if (like := _AS.get(field.name)) in table.column_names:
        return table.column(like)
    return _absent(field, table.num_rows)


def _absent(field: pa.Field, rows: int) -> pa.Array:
    if field.name in _BY_THE_TABLE:
        return pa.nulls(rows, field.type)
    if pa.types.is_string(field.type):
        return pa.array([""] * rows, field.type)
    if pa.types.is_list(field.type) or pa.types.is_map(field.type):
        return pa.array([[]] * rows, field.type)
    return pa.array([_EMPTY.get(field.name)] * rows, field.type)

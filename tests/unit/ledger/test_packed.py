"""The rows of a plan that an older version wrote."""

import base64
from decimal import Decimal
from typing import Any

import pyarrow as pa

from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.packed import unpacked
from stream_jobs.store.arrow_stream import encoded
from tests.unit.repricing.build import as_entries

NEW = ("held_cost", "held_flat")


def test_what_was_planned_before_bounds_were_booked_takes_back_what_counts_flat() -> None:
    """A row without a bound counts as many events at the flat bound as it has without a price; so does its opposite."""
    empty: dict[str, Any] = {
        field.name: "" if pa.types.is_string(field.type) else [] if pa.types.is_nested(field.type) else None
        for field in LEDGER_COLUMNS
    }
    rows = [{**empty, "event_id": "a", "unpriced": -1}, {**empty, "event_id": "b", "unpriced": 0}]
    whole = as_entries(rows).table
    old = whole.select([name for name in whole.column_names if name not in NEW])
    found = unpacked(base64.b64encode(encoded(old)).decode(), LEDGER_COLUMNS)
    assert found.select(old.column_names) == old
    assert found["held_flat"].to_pylist() == [-1, 0]
    assert found["held_cost"].to_pylist() == [None, None]
    priced = whole.set_column(
        whole.column_names.index("held_cost"), LEDGER_COLUMNS.field("held_cost"),
        pa.array([Decimal("-0.01"), None], LEDGER_COLUMNS.field("held_cost").type),
    )  # fmt: skip
    assert unpacked(base64.b64encode(encoded(priced)).decode(), LEDGER_COLUMNS) == priced

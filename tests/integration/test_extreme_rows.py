"""What an Arrow column holds the store takes: an insert that it refused would be repeated for ever."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from stream_jobs.base.instants import unix_micros
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import DEADLINE_TABLES, TABLES, insert
from tests.store_server import StoreProcess

CLOSED = {"entry_kind": "charge", "kind": "tokens", "status": "ok", "grain": "hour"}
"""Of closed sets, by the contract and by our own hand."""
OF_RUNS = {"status": "complete"}


def extreme(kind: pa.DataType, highest: bool) -> object:
    """The greatest or the least value of a column's type that booking writes."""
    if pa.types.is_decimal(kind):
        return Decimal((0 if highest else 1, (9,) * kind.precision, -kind.scale))
    if pa.types.is_timestamp(kind):
        return 7_289_568_000_000 * (1000 if kind.unit == "us" else 1) if highest else 1_577_836_800_000_000
    if pa.types.is_unsigned_integer(kind):
        return 2**kind.bit_width - 1 if highest else 0
    if pa.types.is_integer(kind):
        return 2 ** (kind.bit_width - 1) - 1 if highest else -(2 ** (kind.bit_width - 1))
    if pa.types.is_floating(kind):
        return 1.7e308 if highest else -0.0
    if pa.types.is_boolean(kind):
        return highest
    if pa.types.is_list(kind):
        return [extreme(kind.value_type, highest)] * 3
    if pa.types.is_map(kind):
        return [("\x00\u202e'\\", "\x00")] * 2 if highest else []
    text = "\x00'\\\U0010ffff" * 100 if highest else ""
    return text.encode() if pa.types.is_binary(kind) else text


@pytest.mark.parametrize("table", sorted(DEADLINE_TABLES))
def test_the_store_takes_every_value_that_a_column_holds(process: StoreProcess, table: str) -> None:
    """In one row and in many, through the views behind the table: whatever fits is booked."""
    schema, lately = TABLES[table], unix_micros(datetime.now(UTC))  # what is old is not kept
    with StoreClient(process.settings) as store:
        for highest in (True, False):
            row = {field.name: extreme(field.type, highest) for field in schema}
            for name in ("booked_at", "quarantined_at", "seen_at", "completed_at", "run", "at"):
                if name in row:
                    row[name] = lately
            closed = CLOSED | (OF_RUNS if table == "forecast_runs" else {})
            row |= {name: value for name, value in closed.items() if name in row}
            columns = [pa.array([row[field.name]] * 3, field.type) for field in schema]
            insert(store.client, table, pa.table(columns, schema=schema), f"{table}/{highest}")
        assert store.rows(f"SELECT count() FROM {table}")[0][0] == 6

"""A delta says what its block adds to the ledger, to the last digit, and survives the way."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas.scope import SCOPE_FIELDS
from stream_jobs.ledger.columns import BLOCK_COLUMNS
from stream_jobs.series.delta import COSTS, SCHEMA, InvalidDeltaError, decode, delta_of, encode, split
from stream_jobs.streams.model import Block
from tests.unit.blocks.build import SOURCE, VERSIONS

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
BLOCK = Block(SOURCE, 0, 9, NOON + timedelta(minutes=1), VERSIONS, 1)


def ledger(rows: list[dict[str, object]]) -> pa.Table:
    """Ledger rows with what matters here; everything else is empty."""
    columns = []
    for field in BLOCK_COLUMNS:
        empty: object = "" if pa.types.is_string(field.type) else None
        columns.append(pa.array([row.get(field.name, empty) for row in rows], field.type))
    return pa.table(columns, schema=BLOCK_COLUMNS)


def row(seconds: float = 0.0, cost: str | None = "1", **facts: object) -> dict[str, object]:
    money = None if cost is None else Decimal(cost)
    given: dict[str, object] = dict.fromkeys(COSTS, money)
    counts = {"events": 1, "unpriced": 0 if cost is not None else 1}
    return {"occurred_at": NOON + timedelta(seconds=seconds), **given, **counts, **facts}


def test_rows_of_a_minute_and_scope_are_summed_and_others_are_not() -> None:
    """Costs add up exactly; usage without a price counts as an event and adds nothing."""
    delta = delta_of(
        BLOCK,
        ledger(
            [
                row(0, "0.000000000001", team="a", model="m"),
                row(59, "12345678901234.000000000002", team="a", model="", response_model="m"),
                row(30, None, team="a", model="m"),
                row(60, "3", team="a", model="m"),
                row(0, "-4", team="b", model="m"),
            ]
        ),
    )
    found = {
        (r["minute"], r["team"]): (r["effective_cost"], r["events"], r["unpriced"]) for r in delta.rows.to_pylist()
    }
    assert found == {
        (NOON, "a"): (Decimal("12345678901234.000000000003"), 3, 1),
        (NOON + timedelta(minutes=1), "a"): (Decimal(3), 1, 0),
        (NOON, "b"): (Decimal(-4), 1, 0),
    }
    assert delta.rows.schema == SCHEMA


texts = st.sampled_from(["", "a", "b", "ü/😀"])
ledger_rows = st.lists(
    st.builds(
        lambda seconds, cost, facts: row(seconds, cost, **facts),
        st.integers(-100_000, 100_000),
        st.none() | st.decimals(-1000, 1000, places=12).map(str),
        st.fixed_dictionaries(dict.fromkeys(SCOPE_FIELDS, texts)),
    ),
    max_size=30,
)


@given(ledger_rows, st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_the_parts_together_hold_what_the_ledger_holds(rows: list[dict[str, object]], part_rows: int) -> None:
    """Through splitting, encoding and decoding; texts may be dictionary-encoded as metering makes them."""
    table = ledger(rows)
    parts = [decode(encode(part)) for part in split(delta_of(BLOCK, table), part_rows)]
    assert [part.part for part in parts] == list(range(len(parts)))
    assert {part.parts for part in parts} == {len(parts)}
    assert {(part.origin.topic_id, part.origin.partition, part.booked_at) for part in parts} == {
        (SOURCE.topic_id, SOURCE.partition, BLOCK.fixed_at)
    }
    sums: Counter[tuple[object, ...]] = Counter()
    for part in parts:
        for r in part.rows.to_pylist():
            sums[(r["minute"], *(r[name] for name in SCOPE_FIELDS))] += r["events"]
    wanted = Counter(
        (r["occurred_at"].replace(second=0, microsecond=0), *(r[name] for name in SCOPE_FIELDS))  # type: ignore[attr-defined]
        for r in rows
    )
    assert sums == wanted
    total = sum((r["effective_cost"] for part in parts for r in part.rows.to_pylist()), Decimal(0))
    assert total == sum((Decimal(str(r["effective_cost"] or 0)) for r in rows), Decimal(0))


@pytest.mark.parametrize("message", [b"", b"{}", b"\xff" * 100])
def test_what_is_no_delta_is_refused(message: bytes) -> None:
    """Whatever the bytes are."""
    with pytest.raises(InvalidDeltaError):
        decode(message)


def test_another_version_is_refused_by_name() -> None:
    """A newer worker's deltas must not be half understood."""
    delta = delta_of(BLOCK, None)
    assert delta.rows == SCHEMA.empty_table()
    changed = encode(delta).replace(b'"version": 1', b'"version": 2')
    with pytest.raises(InvalidDeltaError, match="version 2"):
        decode(changed)

"""A block's rows summed for a delta: every measure is what plain Python adds up, by every dimension."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.series import block_sums
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.delta import SCHEMA
from stream_jobs.series.measures import (
    ADDED_UP,
    CACHE_WRITES,
    CAP_USD,
    DIMENSIONS,
    MAX_SQUARED_USD,
    MEASURES,
    Measure,
)
from stream_jobs.store.tables import TOOL_COLUMNS
from tests.unit.series.test_delta import BLOCK, NOON, ledger, row

EXACT = Context(prec=100)
TEXTS = st.sampled_from(["", "a", "b", "ü/😀"])
COUNTS = st.none() | st.integers(-(10**12), 10**12)
COSTS = st.one_of(
    st.none(),
    st.decimals(-1000, 1000, places=12),
    st.sampled_from([Decimal(MAX_SQUARED_USD), Decimal(10**24), -Decimal(10**24), Decimal("1e-12"), Decimal(CAP_USD)]),
)
OTHER_METERS = ("input_tokens", "cache_read_tokens", *CACHE_WRITES, "output_tokens", "reasoning_tokens", *TOOL_COLUMNS)
ROWS = st.builds(
    lambda seconds, dimensions, fixed, money, counts, labels: {
        **row(seconds),
        **dimensions,
        **fixed,
        **money,
        **counts,
        "labels": labels,
    },
    st.integers(-200, 200),
    st.fixed_dictionaries(dict.fromkeys((*DIMENSIONS, "response_model"), TEXTS)),
    st.fixed_dictionaries(
        {
            "events": st.sampled_from([1, 1, 1, -1, 0]),
            "unpriced": st.integers(-1, 1),
            "held_flat": st.sampled_from([0, 0, 1, -1]),
            "status": st.sampled_from(["ok", "error", "cancelled"]),
            "cached_response": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        dict.fromkeys(
            ("held_cost", "list_cost", "contracted_cost", "effective_cost", "gpu_seconds", "busy_gpu_seconds"), COSTS
        )
        | {"avoided_cost": COSTS.map(lambda cost: cost or Decimal(0))}
    ),
    st.fixed_dictionaries(dict.fromkeys(OTHER_METERS, COUNTS)),
    st.lists(st.tuples(st.sampled_from(["x", "y"]), TEXTS), unique_by=lambda label: label[0], max_size=2),
)


def clipped(cost: Decimal, most: int) -> Decimal:
    return max(Decimal(-most), min(Decimal(most), cost))


def plainly(entry: Mapping[str, Any]) -> dict[Measure, Decimal]:
    """What one entry of the ledger adds to each measure."""
    events, status, cost = entry["events"], entry["status"], entry["effective_cost"] or Decimal(0)
    as_they_are: tuple[Measure, ...] = (
        *("list_cost", "contracted_cost", "effective_cost", "avoided_cost", "gpu_seconds", "busy_gpu_seconds"),
        *(
            "input_tokens",
            "cache_read_tokens",
            "output_tokens",
            "reasoning_tokens",
            "events",
            "unpriced",
            "held_cost",
            "held_flat",
        ),
    )
    found: dict[Measure, Any] = {name: entry[name] or 0 for name in as_they_are}
    found["ok"], found["errors"], found["cancelled"] = (
        events if status == one else 0 for one in ("ok", "error", "cancelled")
    )
    found["cached"] = events if entry["cached_response"] else 0
    found["cost_squares"] = EXACT.multiply(events, EXACT.power(clipped(cost, MAX_SQUARED_USD), 2))
    found["capped_cost"] = clipped(cost, CAP_USD) if events else 0
    found["cache_write_tokens"] = sum(entry[name] or 0 for name in CACHE_WRITES)
    found["tool_calls"] = sum(entry[name] or 0 for name in TOOL_COLUMNS)
    return {name: Decimal(value) for name, value in found.items()}


@pytest.mark.slow
@given(st.lists(ROWS, max_size=20))
@settings(max_examples=60)
def test_every_measure_by_every_dimension_is_what_plain_addition_says(rows: list[dict[str, Any]]) -> None:
    """Charges, retractions, and what changes no number of events; with and without values; one row per combination."""
    wanted: dict[tuple[object, ...], dict[Measure, Decimal]] = defaultdict(lambda: dict.fromkeys(MEASURES, Decimal(0)))
    for entry in rows:
        labels = dict(entry["labels"])
        model = entry["model"] or entry["response_model"]
        key = (
            entry["occurred_at"].replace(second=0, microsecond=0),
            *(model if name == "model" else entry[name] for name in DIMENSIONS),
            *(labels.get(name, "") for name in ("y", "x")),
        )
        for name, amount in plainly(entry).items():
            wanted[key][name] = EXACT.add(wanted[key][name], amount)
    delta = delta_of(BLOCK, ledger(rows), ["y", "x"])
    names = ("minute", *DIMENSIONS, "labels.y", "labels.x")
    found = [(tuple(one[name] for name in names), one) for one in delta.rows.to_pylist()]
    assert len(dict(found)) == len(found)
    assert {key: {name: Decimal(one[name]) for name in MEASURES} for key, one in found} == dict(wanted)
    assert not delta.cut


def test_every_measure_is_defined_and_is_a_column() -> None:
    """In the ledger's words, and as a sum that a delta carries."""
    assert (*MEASURES, *ADDED_UP) == get_args(Measure)
    assert SCHEMA.names == ["minute", *DIMENSIONS, *MEASURES]


def test_a_retraction_takes_back_all_of_its_charge() -> None:
    """Also the squares: the sums are those of events that count."""
    charge = row(0, "12345.5", status="ok", cached_response=True, gpu_seconds=Decimal("1.5"), tool_web_search=3)
    back = {
        name: -value if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value
        for name, value in charge.items()
    }
    (summed,) = delta_of(BLOCK, ledger([charge, back])).rows.select([*MEASURES]).to_pylist()
    assert set(summed.values()) == {0}


def test_tables_in_chunks_with_dictionaries_of_their_own_are_one_block() -> None:
    """As metering books charges and retractions."""
    tables = [ledger([row(0, "1", team=team, model="", response_model="m", status="ok")]) for team in ("a", "b", "a")]
    columns = [
        pa.table({n: t[n].dictionary_encode() if n in ("team", "status") else t[n] for n in t.column_names})
        for t in tables
    ]
    found = delta_of(BLOCK, pa.concat_tables(columns)).rows
    assert [(one["team"], one["model"], one["events"], one["ok"]) for one in found.to_pylist()] == [
        ("a", "m", 2, 2),
        ("b", "m", 1, 1),
    ]


def test_values_of_a_label_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most frequent are kept, the rest is summed as if it had none, and that is said: no sum is lost."""
    monkeypatch.setattr(block_sums, "MAX_LABEL_VALUES", 2)
    values = ["rare", "often", "some", "often", "some", "often", "other"]
    rows = [row(0, "1", labels=[("tenant", value)]) for value in values] + [row(0, "1", labels=[])]
    delta = delta_of(BLOCK, ledger(rows), ["tenant", "none"])
    assert {one["labels.tenant"]: one["events"] for one in delta.rows.to_pylist()} == {"often": 3, "some": 2, "": 3}
    assert delta.cut == {"labels.tenant"}
    assert delta_of(BLOCK, ledger(rows), ["tenant"]).rows.equals(delta.rows.drop_columns(["labels.none"]))


@pytest.mark.parametrize("rows", [None, ledger([])])
def test_a_block_that_adds_nothing_has_a_delta_without_rows(rows: pa.Table | None) -> None:
    """So that offsets follow each other; its columns are those of the others."""
    delta = delta_of(BLOCK, rows, ["x"])
    assert delta.rows.column_names == [*SCHEMA.names, "labels.x"]
    assert (delta.rows.num_rows, delta.first_offset, delta.last_offset) == (0, BLOCK.first_offset, BLOCK.last_offset)
    assert delta.booked_at == BLOCK.fixed_at >= NOON

"""A delta says what its block adds to the ledger, to the last digit, and survives the way."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas.scope import SCOPE_FIELDS_1
from stream_jobs.ledger.columns import BLOCK_COLUMNS
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.delta import (
    COSTS,
    MAX_LABEL_CHARS,
    MAX_PART_BYTES,
    SCHEMA,
    SCHEMA_1,
    SCHEMA_2,
    Delta,
    InvalidDeltaError,
    Origin,
    decode,
    encode,
    messages,
    schema_with,
    split,
)
from stream_jobs.series.facts import Facts, Sums
from stream_jobs.series.follower import Follower
from stream_jobs.series.measures import MAX_LABELS
from stream_jobs.streams.model import Block
from tests.unit.blocks.build import SOURCE, VERSIONS
from tests.unit.series.memory_ledger import MemoryLedger

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
        st.fixed_dictionaries(dict.fromkeys(SCOPE_FIELDS_1, texts)),
    ),
    max_size=30,
)


@given(ledger_rows, st.integers(1, 7))
@settings(max_examples=60)
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
            sums[(r["minute"], *(r[name] for name in SCOPE_FIELDS_1))] += r["events"]
    wanted = Counter(
        (r["occurred_at"].replace(second=0, microsecond=0), *(r[name] for name in SCOPE_FIELDS_1))  # type: ignore[attr-defined]
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
    changed = encode(delta).replace(b'"version": 3', b'"version": 4')
    with pytest.raises(InvalidDeltaError, match="version 4"):
        decode(changed)


# -- versions and labels

VERSION_1 = Path(__file__).parent / "messages" / "delta_v1.arrow"
VERSION_2 = Path(__file__).parent / "messages" / "delta_v2.arrow"
"""Written by the code that knew no later version."""


def test_a_message_of_version_1_is_read_and_counts() -> None:
    """Everything that it told then, to the last digit; beside one of today's it counts the same."""
    old = decode(VERSION_1.read_bytes())
    place = Delta(Origin("rJx0-topic-id", 3), NOON + timedelta(minutes=1), 1000, 1004, old.rows)
    assert old == place
    assert old.rows.schema == SCHEMA_1
    search = {"project": "p1", "environment": "prod", "cost_center": "cc", "workload_type": "inference"}
    search |= {"team": "search", "owner": "o", "budget_code": "b", "feature": "f", "customer": "ü/😀", "user_id": "u1"}
    search |= {"provider": "openai", "model": "gpt-4o", "category": "inference"}
    nothing = dict.fromkeys(SCOPE_FIELDS_1, "")

    def told(minute: datetime, facts: dict[str, str], cost: str, events: int, unpriced: int) -> dict[str, object]:
        costs = dict.fromkeys(COSTS, Decimal(cost))
        return {"minute": minute, **nothing, **facts, **costs, "events": events, "unpriced": unpriced}

    later = NOON + timedelta(minutes=1)
    assert old.rows.to_pylist() == [
        told(NOON, search, "12345678901234.000000000003", 3, 1),
        told(later, {"team": "ads", "model": "served"}, "3.5", 1, 0),
        told(later, {"team": "ads", "model": "m"}, "-4", -1, 0),
    ]
    new = delta_of(BLOCK, ledger([row(0, "1", team="search")]))
    facts = Facts(pa.concat_tables([old.rows, new.rows], promote_options="default"))
    rows = facts.matching({}, ("team",))
    assert facts.sums(rows, rows * 0, ("team",), "effective_cost")[0] == {
        ("search",): Sums(12345678901235 * 10**12 + 3, 1),
        ("ads",): Sums(-5 * 10**11, 0),
    }
    assert facts.sums(rows, rows * 0, ("team",), "events")[0] == {("search",): Sums(4, 1), ("ads",): Sums(0, 0)}


def test_a_message_of_version_2_is_read_and_does_not_tell_what_is_held() -> None:
    """With its labels; for whoever asks what is held it is a gap, which the ledger fills."""
    old = decode(VERSION_2.read_bytes())
    assert old.rows.schema == schema_with(["tenant"], SCHEMA_2)
    assert old.rows["effective_cost"].to_pylist() == [Decimal("1.5"), Decimal(0)]
    assert old.rows["unpriced"].to_pylist() == [0, 1]
    assert old.tells(["unpriced", "effective_cost", "labels.tenant"])
    assert not old.tells(["held_cost"])
    assert not old.tells(["held_flat"])


def test_what_a_delta_does_not_tell_is_read_from_the_ledger() -> None:
    """A message of version 1, or of a writer that was told of other labels: whoever counts what it lacks reads the
    ledger, and nobody else."""
    old = decode(VERSION_1.read_bytes())
    labelled = replace(delta_of(BLOCK, ledger([row(team="a")]), ["tenant"]), booked_at=NOON + timedelta(hours=1))
    for reads, gaps in (
        ({"effective_cost", "unpriced", "team"}, [False, False]),
        ({"errors"}, [True, False]),
        ({"source"}, [True, False]),
        ({"labels.tenant"}, [True, False]),
        ({"labels.other"}, [True, True]),
    ):
        for delta, gap in zip((old, decode(encode(labelled))), gaps, strict=True):
            one = Follower(MemoryLedger(NOON), {}, NOON)
            one.reads = frozenset(reads)
            assert one.take([delta])[0] == 1
            assert (set(one.untold), one.gap) == (reads if gap else set(), False), (reads, delta.origin)


def test_labels_that_were_cut_are_said_on_the_way() -> None:
    """The message names them, and a delta with too many labels, or other columns behind them, is none."""
    delta = replace(delta_of(BLOCK, ledger([row(team="a")]), ["x", "y"]), cut=frozenset({"labels.x"}))
    found = decode(encode(delta))
    assert found == delta
    assert found.tells(["labels.y", "errors", "region"])
    assert not found.tells(["labels.x"])
    names = [[f"l{number}" for number in range(MAX_LABELS + 1)], ["x", "x"], [""]]
    for labels in names:
        more = delta.rows.select(SCHEMA.names)
        for name in labels:
            more = more.append_column(f"labels.{name}", pa.array(["v"]))
        with pytest.raises(InvalidDeltaError, match="other columns"):
            decode(encode(replace(delta, rows=more)))


def test_every_message_is_one_that_brokers_take() -> None:
    """However wide what people put into labels is; nothing is lost on the way."""
    chance = Random(1)
    texts = ["".join(chance.choices("日本語の札😀é", k=MAX_LABEL_CHARS)) for _ in range(1_000)]
    rows = [
        row(number, labels={f"l{label}": chance.choice(texts) for label in range(MAX_LABELS)})
        for number in range(2_000)
    ]
    delta = delta_of(BLOCK, ledger(rows), [f"l{label}" for label in range(MAX_LABELS)])
    assert not delta.cut
    assert len(encode(delta)) > MAX_PART_BYTES
    sent = messages(delta)
    assert max(map(len, sent)) <= MAX_PART_BYTES
    parts = [decode(message) for message in sent]
    assert pa.concat_tables([part.rows for part in parts]).equals(delta.rows)
    assert [(part.part, part.parts) for part in parts] == [(number, len(parts)) for number in range(len(parts))]

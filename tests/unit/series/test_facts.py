"""The rows of deltas as numbers: the same sums as plain Python's, to the last digit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas.scope import SCOPE_FIELDS, Condition, in_scope
from stream_jobs.base.money import usd_from_pico
from stream_jobs.series.delta import COSTS, SCHEMA
from stream_jobs.series.facts import Facts, Sums
from tests.unit.series.memory_ledger import Entry, rows_of

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEXTS = ("", "a", "b", "ß/1", "4:a")


def row(cost: Decimal, unpriced: int = 0, **facts: str) -> dict[str, object]:
    texts = {**dict.fromkeys(SCOPE_FIELDS, ""), **facts}
    return {"minute": NOON, **texts, **dict.fromkeys(COSTS, cost), "events": 1, "unpriced": unpriced}


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def all_of(facts: Facts, *per: str) -> dict[tuple[str, ...], Sums]:
    rows = facts.matching({}, per)
    starts = np.zeros(len(rows), np.int64)
    return facts.sums(rows, starts, per, "effective_cost").get(0, {}) if len(rows) else {}


def test_sums_are_exact_far_beyond_64_bits() -> None:
    """A sum of amounts that fill all digits of the column, of both signs, with the smallest unit still in it."""
    smallest = Decimal(1).scaleb(-12)
    facts = Facts(table(*[row(Decimal(10**24)) for _ in range(90)], row(smallest), row(-Decimal(10**25))))
    assert all_of(facts) == {(): Sums(80 * 10**36 + 1, 0)}


@pytest.mark.parametrize("number", [1, -1, 2**32 - 1, 2**32, -(2**32), 2**63, -(2**63), 2**64, -(2**95), 2**96 - 1])
def test_every_limb_and_sign(number: int) -> None:
    """Amounts on both sides of the borders of the four limbs come back as they went in."""
    facts = Facts(table(row(usd_from_pico(number)), row(usd_from_pico(number))))
    assert all_of(facts) == {(): Sums(2 * number, 0)}


def test_slices_and_chunks_are_read_from_where_they_begin() -> None:
    """Parts of deltas are slices, and a batch is several tables in a row."""
    whole = table(*[row(Decimal(number), number, team=f"t{number}") for number in range(10)])
    facts = Facts(pa.concat_tables([whole.slice(7, 2), whole.slice(1, 1), whole.slice(3, 0)]))
    assert all_of(facts, "team") == {(f"t{n}",): Sums(n * 10**12, n) for n in (7, 8, 1)}


def test_no_rows_at_all() -> None:
    """A delta may be empty."""
    facts = Facts(table())
    assert facts.rows == 0
    assert len(facts.matching({"team": Condition(any_of=("a",))}, ("team",))) == 0


ENTRIES = st.builds(
    Entry,
    at=st.integers(0, 600).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    pico=st.integers(-(10**37), 10**37),
    unpriced=st.integers(-2, 2),
    held=st.sampled_from([0, 0, 1, -(10**36)]),
    facts=st.fixed_dictionaries({name: st.sampled_from(TEXTS) for name in ("team", "model", "user_id", "category")}),
)
CONDITIONS = st.one_of(
    st.sampled_from([Condition(any_of=("a", "b")), Condition(none_of=("a",)), Condition(glob="?*")]),
    st.booleans().map(lambda missing: Condition(missing=missing)),
)


@settings(max_examples=150)
@given(
    st.lists(ENTRIES, max_size=25),
    st.dictionaries(st.sampled_from(["team", "model"]), CONDITIONS),
    st.lists(st.sampled_from(["team", "model", "user_id", "category"]), unique=True, max_size=4),
)
def test_the_same_as_plain_addition(entries: list[Entry], scope: dict[str, Condition], per: list[str]) -> None:
    """Any scope and any number of `per` fields: one sum for each combination of values that are all there."""
    wanted: dict[int, dict[tuple[str, ...], Sums]] = {}
    for entry in entries:
        values = tuple(entry.facts[name] for name in per)
        if in_scope(scope, entry.facts) and "" not in values:
            cell = wanted.setdefault(entry.at.minute // 3, {})
            cell[values] = cell.get(values, Sums()).plus(entry.sums)
    facts = Facts(rows_of(entries))
    rows = facts.matching(scope, per)
    minute = (facts.minutes[rows] // 60_000_000) % 60
    found = facts.sums(rows, minute // 3, per, "list_cost") if len(rows) else {}
    assert found == wanted

"""The metering step: every record gets exactly one fate, whatever the records hold."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import InvalidReason
from stream_jobs.base.errors import CrashError
from stream_jobs.ledger.known import Booked
from stream_jobs.metering import process
from stream_jobs.streams.model import BlockOutput, SourceRecord, Versions
from tests.unit.metering.build import NOW, FakeLedger, block, metering, record

VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.sampled_from([b"", b"{}", b"[" * 50_000, b'{"event_id": "\\ud800"}', b"\xff", b"1e999", b"nul", b'"x"']),
)
REVISIONS = st.integers(0, 2)
EVENTS = st.tuples(st.sampled_from("abcdef"), st.sampled_from(["gpt-4o", "unknown"]), REVISIONS)


def rows(output: BlockOutput, table: str) -> list[dict[str, Any]]:
    return list(output.tables[table].to_pylist()) if table in output.tables else []


@given(st.lists(st.one_of(VALUES, EVENTS), max_size=30), st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)))
def test_received_is_booked_plus_duplicates_plus_quarantined(mixed: list[Any], known: dict[str, int]) -> None:
    """For any mix of garbage, events, copies and revisions; the rows agree with the counts, and each offset has one."""
    records = [
        record(offset, item[0], model=item[1], revision=item[2])
        if isinstance(item, tuple)
        else SourceRecord(offset, None, None, item)
        for offset, item in enumerate(mixed)
    ]
    ledger = FakeLedger({key: Booked(revision, NOW) for key, revision in known.items()})
    output = metering(ledger).process(block(), records)
    counts = output.counts
    assert counts.received == len(records) == counts.booked + counts.duplicates + counts.quarantined
    charges = [row for row in rows(output, "ledger") if row["entry_kind"] == "charge"]
    assert len(charges) == counts.booked
    assert sum(row["unpriced"] for row in charges) == counts.unpriced
    assert all((row["list_cost"] is None) == bool(row["unpriced"]) for row in charges)
    assert len(rows(output, "duplicates")) == counts.duplicates
    assert len(rows(output, "quarantine")) == counts.quarantined
    fates = [row["offset"] for row in [*charges, *rows(output, "duplicates"), *rows(output, "quarantine")]]
    assert sorted(fates) == list(range(len(records)))


@pytest.mark.parametrize(
    ("model", "reason", "path"),
    [
        ("broken", InvalidReason.PROCESSING_FAILED, ""),
        ("dear", InvalidReason.OUT_OF_RANGE, "list_cost"),
        ("unfit", InvalidReason.OUT_OF_RANGE, "line_list_cost"),
    ],
)
def test_one_event_that_cannot_be_booked_is_quarantined_and_the_rest_is_booked(
    model: str, reason: InvalidReason, path: str
) -> None:
    """A defect in pricing, a cost beyond the ledger, or a receipt line no column can hold: one event, not the block."""
    records = [record(0, "a"), record(1, "b", model=model), record(2, "c")]
    output = metering().process(block(), records)
    assert [row["event_id"] for row in rows(output, "ledger")] == ["a", "c"]
    refused = rows(output, "quarantine")
    assert [(row["offset"], row["reason"], row["path"]) for row in refused] == [(1, reason.value, path)]
    assert refused[0]["raw"] == records[1].value
    assert (output.counts.booked, output.counts.quarantined) == (2, 1)


def test_failing_on_many_stops_before_anything_is_booked() -> None:
    """More than ten failures are a bad deployment: crash, so that nobody has to replay a quarantine of millions."""
    few = [record(offset, f"e{offset}", model="broken") for offset in range(10)]
    assert metering().process(block(), few).counts.quarantined == 10
    with pytest.raises(CrashError, match="11 of 11"):
        metering().process(block(), [*few, record(10, "e10", model="broken")])


def test_what_no_column_can_hold_never_stops_the_worker() -> None:
    """However many: it says something about the events, and nothing about the deployment."""
    dear = [record(offset, f"e{offset}", model="dear") for offset in range(99)]
    output = metering().process(block(), [*dear, record(99, "e99")])
    assert (output.counts.booked, output.counts.quarantined) == (1, 99)


def test_a_correction_that_fails_takes_nothing_back() -> None:
    """The old charge stands until the new one can be booked."""
    ledger = FakeLedger()
    first = metering(ledger).process(block(0, 0), [record(0, "a")])
    ledger.rows, ledger.known = rows(first, "ledger"), {"a": Booked(0, NOW)}
    output = metering(ledger).process(block(1, 1), [record(1, "a", revision=1, model="broken")])
    assert "ledger" not in output.tables
    assert output.counts.quarantined == 1


def test_a_correction_posts_the_opposite_and_the_new_charge() -> None:
    """The sum of all entries is the new charge, and the retraction lies where the correction lay in Kafka."""
    ledger = FakeLedger()
    first = metering(ledger).process(block(0, 0), [record(0, "a", tokens=1000)])
    ledger.rows, ledger.known = rows(first, "ledger"), {"a": Booked(0, NOW)}
    output = metering(ledger).process(block(7, 7), [record(7, "a", revision=1, tokens=300)])
    retraction, charge = rows(output, "ledger")
    assert (retraction["entry_kind"], retraction["revision"], retraction["offset"]) == ("retraction", 0, 7)
    assert (charge["entry_kind"], charge["revision"], charge["offset"]) == ("charge", 1, 7)
    assert retraction["list_cost"] == -ledger.rows[0]["list_cost"] == Decimal("-0.0025")
    assert charge["list_cost"] == Decimal("0.00075")
    assert output.counts.booked == 1


def test_the_ledger_is_written_before_everything_else() -> None:
    """Once it is in, no other block can book these events: a redo that has to add the rest decides the same."""
    records = [record(0, "a"), record(1, "a"), SourceRecord(2, None, None, b"")]
    assert list(metering().process(block(), records).tables) == ["ledger", "quarantine", "duplicates"]


def test_an_entry_names_the_versions_it_was_computed_with() -> None:
    """A block that is redone after the rules or prices changed was fixed with others than it is computed with."""
    fixed_before = replace(block(), versions=Versions("old prices", "old rules"))
    step = metering()
    (row,) = rows(step.process(fixed_before, [record(0)]), "ledger")
    assert (row["price_book_version"], row["attribution_version"]) == (step.book.version, step.rules.version)
    assert step.rules.version != "old rules"


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["gpt-4o", "unknown", "dear"]), REVISIONS)))
def test_how_many_events_are_objects_at_once_changes_nothing(mixed: list[tuple[str, str, int]]) -> None:
    """A block is worked out in parts to bound its memory: the same rows, corrections and refusals come out."""
    first = metering(FakeLedger()).process(block(0, 3), [record(at, name) for at, name in enumerate("abcd")])
    ledger = FakeLedger({name: Booked(0, NOW) for name in "abcd"}, rows(first, "ledger"))
    records = [record(at, name, model=model, revision=revision) for at, (name, model, revision) in enumerate(mixed, 10)]
    found = []
    for together in (2, 10_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process, "ROWS_ONE_BY_ONE", together)
            output = metering(ledger).process(block(10, 100), list(records))
        ledger_rows = sorted(rows(output, "ledger"), key=lambda row: (row["offset"], row["entry_kind"]))
        found.append((output.counts, ledger_rows, rows(output, "duplicates"), rows(output, "quarantine")))
    assert found[0] == found[1]


def test_rows_of_several_parts_are_one_piece() -> None:
    """Dictionaries are made one, nulls stay, and what is equal is not held twice."""
    schema = pa.schema([("text", pa.string()), ("cost", pa.int64()), ("same", pa.int64()), ("none", pa.int64())])
    parts = [
        pa.table([["a", "b"], [1, None], [1, None], [None, None]], schema=schema),
        pa.table([["b", "c"], [3, 4], [3, 4], [None, None]], schema=schema),
    ]
    encoded = parts[0].set_column(0, "text", parts[0]["text"].dictionary_encode())
    whole = process.joined([encoded, parts[1]])
    assert whole.to_pylist() == pa.concat_tables(parts).to_pylist()
    assert [column.num_chunks for column in whole.columns] == [1, 1, 1, 1]
    addresses = [column.chunk(0).buffers()[1].address for column in whole.columns[1:3]]
    assert addresses[0] == addresses[1]

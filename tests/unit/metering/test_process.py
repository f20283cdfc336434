"""The metering step: every record gets exactly one fate, whatever the records hold."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import InvalidReason
from stream_jobs.base.errors import CrashError
from stream_jobs.ledger.known import Booked
from stream_jobs.streams.model import BlockOutput, SourceRecord, Versions
from tests.unit.metering.build import NOW, FakeLedger, block, metering, record

VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.sampled_from([b"", b"{}", b"[" * 50_000, b'{"event_id": "\\ud800"}', b"\xff", b"1e999", b"nul", b'"x"']),
)
EVENTS = st.tuples(st.sampled_from("abcdef"), st.sampled_from(["gpt-4o", "unknown"]), st.integers(0, 2))


def rows(output: BlockOutput, table: str) -> list[dict[str, Any]]:
    return list(output.tables[table].to_pylist()) if table in output.tables else []


@settings(deadline=None)
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

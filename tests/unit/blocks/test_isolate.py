"""The shell around a booking step: a record that it cannot cope with costs no other record its booking."""

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import InvalidReason
from stream_jobs.base.errors import CrashError, StoreUnavailableError
from stream_jobs.blocks.isolate import isolated
from stream_jobs.blocks.side_tables import quarantine_table
from stream_jobs.streams.model import (
    Block,
    BlockCounts,
    BlockOutput,
    RejectedRecord,
    SourcePartition,
    SourceRecord,
    Versions,
)

BLOCK = Block(SourcePartition("t", "id", 0), 0, 999, datetime(2026, 11, 20, tzinfo=UTC), Versions(), 1)


def step(block: Block, records: list[SourceRecord]) -> BlockOutput:
    """Books what says `good`, refuses `bad`, and raises for anything that says `ugly`."""
    if any(record.value == b"ugly" for record in records):
        raise ZeroDivisionError("a defect")
    if any(record.value == b"away" for record in records):
        raise StoreUnavailableError("away")
    good = [record.offset for record in records if record.value == b"good"]
    bad = [RejectedRecord(record, InvalidReason.NOT_JSON, "", "") for record in records if record.value == b"bad"]
    tables = {"ledger": pa.table({"offset": good})} | ({"quarantine": quarantine_table(bad, block)} if bad else {})
    return BlockOutput(BlockCounts(len(records), len(good), 0, len(bad)), tables)


def records(*values: bytes) -> list[SourceRecord]:
    return [SourceRecord(offset, None, None, value) for offset, value in enumerate(values)]


@given(st.lists(st.sampled_from([b"good", b"good", b"bad"]), max_size=40), st.lists(st.integers(0, 39), max_size=10))
def test_all_but_the_records_that_it_fails_on_are_booked(values: list[bytes], ugly: list[int]) -> None:
    """Those are in quarantine, with what they hold and why, in the order of their offsets."""
    mixed = [b"ugly" if number in ugly else value for number, value in enumerate(values)]
    output = isolated(step)(BLOCK, records(*mixed))
    counts = output.counts
    assert (counts.received, counts.booked) == (len(mixed), mixed.count(b"good"))
    assert counts.quarantined == mixed.count(b"bad") + mixed.count(b"ugly")
    refused = output.tables["quarantine"].to_pylist() if counts.quarantined else []
    assert [(row["offset"], row["raw"]) for row in refused] == [
        (offset, value) for offset, value in enumerate(mixed) if value != b"good"
    ]
    assert {row["reason"] for row in refused if row["raw"] == b"ugly"} <= {"processing_failed"}


def test_failing_on_many_stops_before_anything_is_booked() -> None:
    """More than ten, and more than one in a hundred, are a bad deployment."""
    with pytest.raises(CrashError, match="11 of"):
        isolated(step)(BLOCK, records(*[b"ugly"] * 40))


def test_what_comes_of_no_record_is_passed_on() -> None:
    """An outage is nobody's fault: the block is worked out again."""
    with pytest.raises(StoreUnavailableError):
        isolated(step)(BLOCK, records(b"good", b"away"))
    with pytest.raises(CrashError, match="a defect"):
        isolated(lambda block, some: step(block, records(b"ugly")) if len(some) > 1 else step(block, []))(
            BLOCK, records(b"good", b"good")
        )


def test_what_the_block_keeps_for_its_redo_stays() -> None:
    """Which records were refused is written into the block's row also when another record was left out."""

    def refusing(block: Block, records: list[SourceRecord]) -> BlockOutput:
        return replace(step(block, records), refusals="kept")

    assert isolated(refusing)(BLOCK, records(b"good", b"ugly")).refusals == "kept"

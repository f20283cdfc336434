"""Decoding: valid events in, reasons out."""

from datetime import datetime, timedelta

import pytest

from spendstream_schemas import InvalidReason
from stream_jobs.metering.decode import DecodedEvent, decode, decode_all
from stream_jobs.streams.model import RejectedRecord, SourceRecord
from tests.unit.metering.build import NOW, TOLERANCE, record


def at(instant: datetime) -> SourceRecord:
    return record(0, occurred_at=instant.isoformat())


@pytest.mark.parametrize("microseconds", [-1, 0])
def test_up_to_the_tolerance_ahead_is_accepted(microseconds: int) -> None:
    """Clocks differ: an event exactly as far ahead as tolerated is valid."""
    found = decode(at(NOW + TOLERANCE + timedelta(microseconds=microseconds)), NOW, TOLERANCE)
    assert isinstance(found, DecodedEvent)


def test_a_microsecond_more_is_from_the_future() -> None:
    """Past the tolerance the record is refused, with the field and how far it is ahead."""
    found = decode(at(NOW + TOLERANCE + timedelta(microseconds=1)), NOW, TOLERANCE)
    assert isinstance(found, RejectedRecord)
    assert (found.reason, found.path) == (InvalidReason.OCCURRED_IN_FUTURE, "occurred_at")
    assert "0:05:00.000001 ahead" in found.detail


def test_the_blocks_clock_decides_not_ours() -> None:
    """A redo decides as the first run did: the same record is early for one block and fine for a later one."""
    early = at(NOW + TOLERANCE + timedelta(seconds=1))
    assert isinstance(decode(early, NOW, TOLERANCE), RejectedRecord)
    assert isinstance(decode(early, NOW + timedelta(seconds=1), TOLERANCE), DecodedEvent)


def test_each_record_is_accepted_or_rejected_in_offset_order() -> None:
    """Nothing is dropped, doubled or reordered."""
    records = [record(0), SourceRecord(1, None, None, None), record(2), SourceRecord(3, None, None, b"{")]
    accepted, rejected = decode_all(records, NOW, TOLERANCE)
    assert [item.record.offset for item in accepted] == [0, 2]
    assert [item.record.offset for item in rejected] == [1, 3]


def test_unknown_fields_are_tolerated_and_named() -> None:
    """A newer producer's fields do not stop the event; they are reported."""
    found = decode(record(0, brand_new=1), NOW, TOLERANCE)
    assert isinstance(found, DecodedEvent)
    assert found.unknown_fields == ("brand_new",)


@pytest.mark.parametrize(("seconds", "accepted"), [("300", True), ("300.000001", False), ("2678400", False)])
def test_compute_does_not_run_into_the_future(seconds: str, accepted: bool) -> None:
    """It ends when it began and its duration later, which is judged as an instant is."""
    usage = {"kind": "compute", "purchase_option": "spot", "cpu_seconds": "1", "duration_s": seconds}
    found = decode(record(0, occurred_at=NOW.isoformat(), usage=usage), NOW, TOLERANCE)
    assert isinstance(found, DecodedEvent) == accepted
    if isinstance(found, RejectedRecord):
        assert (found.reason, found.path) == (InvalidReason.OCCURRED_IN_FUTURE, "usage.duration_s")

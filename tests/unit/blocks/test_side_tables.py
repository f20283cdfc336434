"""Rows for what is not booked."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import InvalidReason
from stream_jobs.blocks.side_tables import MAX_PEEK_BYTES, MAX_RAW_BYTES, duplicates_table, quarantine_table
from stream_jobs.store.tables import arrow_table
from stream_jobs.streams.model import Block, DuplicateRecord, RejectedRecord, SourceRecord, Versions
from tests.unit.blocks.build import SOURCE

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BLOCK = Block(SOURCE, 0, 9, NOW, Versions(), 1)


def row(raw: bytes | None, key: bytes | None = None) -> dict[str, object]:
    rejected = RejectedRecord(SourceRecord(4, None, key, raw), InvalidReason.NOT_JSON, "a.b", "why")
    return dict(quarantine_table([rejected], BLOCK).to_pylist()[0])


@given(st.none() | st.binary(max_size=200), st.none() | st.binary(max_size=20))
def test_any_bytes_are_kept_as_they_are(raw: bytes | None, key: bytes | None) -> None:
    """Value and key byte by byte, with size and hash, and where the record lay."""
    found = row(raw, key)
    assert (found["raw"], found["key"]) == (raw or b"", key or b"")
    assert (found["raw_size"], found["raw_sha256"]) == (len(raw or b""), hashlib.sha256(raw or b"").hexdigest())
    assert (found["topic"], found["topic_id"], found["partition"], found["offset"]) == (
        *(SOURCE.topic, SOURCE.topic_id),
        *(SOURCE.partition, 4),
    )
    assert (found["reason"], found["path"], found["detail"]) == ("not_json", "a.b", "why")


@pytest.mark.parametrize("size", [MAX_RAW_BYTES, MAX_RAW_BYTES + 1])
def test_a_large_value_is_cut_at_one_mebibyte(size: int) -> None:
    """Size and hash are those of the whole."""
    raw = b"x" * size
    found = row(raw)
    assert found["raw"] == raw[:MAX_RAW_BYTES]
    assert (found["raw_size"], found["raw_sha256"]) == (size, hashlib.sha256(raw).hexdigest())


@pytest.mark.parametrize(
    ("raw", "source", "event_id"),
    [
        (b'{"source": "shop", "event_id": "e1", "usage": 1}', "shop", "e1"),
        (b'{"source": 1, "event_id": null}', "", ""),
        (b'{"source": "' + b"s" * 500 + b'"}', "s" * 128, ""),
        (b'{"source": "\\ud800x"}', "?x", ""),
        (b"[]", "", ""),
        (b"\xff", "", ""),
        (b"[" * 100_000, "", ""),
        (b'{"source": ' + b"9" * 5000 + b"}", "", ""),
        (b'{"source": "shop", "pad": "' + b"x" * MAX_PEEK_BYTES + b'"}', "", ""),
    ],
    ids=["plain", "other types", "long", "surrogate", "list", "bytes", "deep", "huge number", "too large to parse"],
)
def test_source_and_id_are_read_without_trusting_the_message(raw: bytes, source: str, event_id: str) -> None:
    """What can be told of the sender is told, bounded, whatever else the message holds."""
    found = row(raw)
    assert (found["source"], found["event_id"]) == (source, event_id)


def test_a_duplicate_names_its_place_and_the_first_booking() -> None:
    """So that a sender of copies can be found."""
    item = DuplicateRecord(SourceRecord(7, None, None, b""), "e1", 2, "shop", NOW)
    found = duplicates_table([item], BLOCK).to_pylist()[0]
    assert (found["event_id"], found["revision"], found["source"], found["offset"]) == ("e1", 2, "shop", 7)
    assert found["seen_at"] == found["first_booked_at"] == NOW


def test_a_row_without_a_declared_column_is_an_error() -> None:
    """A column is never filled in silently."""
    with pytest.raises(KeyError):
        arrow_table("duplicates", [{"event_id": "e"}])

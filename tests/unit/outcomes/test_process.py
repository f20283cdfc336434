"""The outcomes step: every record gets exactly one fate."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.signature import sign
from stream_jobs.ledger.known import Booked
from stream_jobs.origin.judge import Origin
from stream_jobs.origin.keys import KeyRing
from stream_jobs.origin.rules import SenderRules
from stream_jobs.origin.standing import Held
from stream_jobs.outcomes.process import Outcomes
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition, SourceRecord, Versions

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BLOCK = Block(SourcePartition("usage.outcomes.v1", "id", 1), 0, 99, NOW, Versions(), 1)
EARLIER = NOW - timedelta(days=1)
IDS = st.sampled_from("abcd")


class Known:
    """What earlier blocks booked of these outcomes: the rows that they made."""

    def __init__(self, ids: Collection[str], source: str = "shop") -> None:
        self.rows: list[dict[str, Any]] = []
        if ids:
            block = replace(BLOCK, fixed_at=EARLIER, source=replace(BLOCK.source, partition=7))
            records = [
                record(offset, event_id, source=source, occurred_at=EARLIER.isoformat())
                for offset, event_id in enumerate(sorted(ids))
            ]
            self.book(Outcomes(Known(()), timedelta(minutes=5)).process(block, records))

    def book(self, output: BlockOutput) -> None:
        self.rows += output.tables["outcomes"].to_pylist() if "outcomes" in output.tables else []

    def _of(self, event_ids: Collection[str], block: Block) -> list[dict[str, Any]]:
        own = (block.source.topic_id, block.source.partition, block.fixed_at)
        return [
            row
            for row in self.rows
            if row["event_id"] in event_ids and (row["topic_id"], row["partition"], row["booked_at"]) != own
        ]

    def booked(self, event_ids: Collection[str], block: Block) -> dict[str, Booked]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self._of(event_ids, block):
            if row["entry_kind"] == "charge":
                found.setdefault(row["event_id"], []).append(row)
        return {
            event_id: Booked(max(r["revision"] for r in rows), min(r["booked_at"] for r in rows), len(rows) > 1)
            for event_id, rows in found.items()
        }

    def held(self, event_ids: Collection[str], block: Block) -> dict[str, list[Held]]:
        found: dict[str, list[Held]] = {}
        for row in self._of(event_ids, block):
            found.setdefault(row["event_id"], []).append(Held.of(row))
        return found

    def entries(self, event_ids: Collection[str], block: Block) -> list[Mapping[str, Any]]:
        return sorted(self._of(event_ids, block), key=lambda row: (row["booked_at"], row["offset"], row["entry_kind"]))


def record(offset: int, event_id: str, **changes: Any) -> SourceRecord:
    document = {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": "2026-11-20T11:00:00Z",
        "source": "shop",
        "outcome": "order_placed",
        "quantity": "1",
        "value_usd": "12.345678901234",
    } | changes
    return SourceRecord(offset, None, None, json.dumps(document).encode())


@given(st.lists(st.one_of(IDS, st.none(), st.binary(max_size=20)), max_size=20), st.sets(IDS))
def test_received_is_booked_plus_duplicates_plus_quarantined(items: list[Any], known: set[str]) -> None:
    """For any mix; of an id the first copy is booked unless another block has it, and each offset has one row."""
    records = [
        record(offset, item) if isinstance(item, str) else SourceRecord(offset, None, None, item)
        for offset, item in enumerate(items)
    ]
    output = Outcomes(Known(known), timedelta(minutes=5)).process(BLOCK, records)
    counts = output.counts
    assert counts.received == len(items) == counts.booked + counts.duplicates + counts.quarantined
    offsets = {name: table.column("offset").to_pylist() for name, table in output.tables.items()}
    assert sorted(chain.from_iterable(offsets.values())) == list(range(len(items)))
    expected = sorted(items.index(item) for item in set(items) if isinstance(item, str) and item not in known)
    assert sorted(offsets.get("outcomes", [])) == expected


def test_value_is_exact_and_the_future_is_refused() -> None:
    """Decimals to the last place; the tolerance itself is still accepted."""
    ahead = (NOW + timedelta(minutes=5)).isoformat()
    too_far = (NOW + timedelta(minutes=5, microseconds=1)).isoformat()
    output = Outcomes(Known(()), timedelta(minutes=5)).process(
        BLOCK, [record(0, "a", occurred_at=ahead), record(1, "b", occurred_at=too_far)]
    )
    assert output.tables["outcomes"].column("value_usd").to_pylist() == [Decimal("12.345678901234")]
    assert output.tables["quarantine"].column("reason").to_pylist() == ["occurred_in_future"]


SECRET = b"shop-secret-of-at-least-thirty-two-bytes"
ORIGIN = Origin(SenderRules.of("", "shop"), KeyRing({"shop": {"k": SECRET}}))


def signed(record: SourceRecord) -> SourceRecord:
    return record._replace(signature=sign(SECRET, "k", "usage.outcomes.v1", record.key, record.value or b""))


def fates(output: BlockOutput) -> dict[int, str]:
    found = {row["offset"]: name for name, table in output.tables.items() for row in table.to_pylist()}
    refused = output.tables["quarantine"].to_pylist() if "quarantine" in output.tables else []
    return found | {row["offset"]: row["reason"] for row in refused}


def test_an_outcome_of_a_source_that_must_sign_counts_only_signed() -> None:
    """An unsigned one hides nothing, an id that another source has used swallows nothing, a retry stays a duplicate."""
    records = [
        record(0, "a"),
        signed(record(1, "a")),
        signed(record(2, "a")),
        record(3, "b", source="stranger"),
        signed(record(4, "b")),
        signed(record(5, "known")),
        record(6, "known", source="stranger"),
        signed(record(7, "c"))._replace(key=b"another"),
    ]
    expected = {
        0: "signature_missing",
        1: "outcomes",
        2: "duplicates",
        3: "outcomes",
        4: "event_id_taken",
        5: "duplicates",
        6: "duplicates",
        7: "signature_invalid",
    }
    output = Outcomes(Known({"known"}), timedelta(minutes=5), ORIGIN).process(BLOCK, records)
    assert fates(output) == expected
    elsewhere = Outcomes(Known({"known"}, "stranger"), timedelta(minutes=5), ORIGIN).process(BLOCK, records)
    assert fates(elsewhere) == expected | {5: "event_id_taken"}


def test_a_redo_refuses_what_was_refused_whatever_the_keys_are_now() -> None:
    """And nothing else."""
    records = [record(0, "a"), signed(record(1, "b")), record(2, "c", source="other"), signed(record(3, "c"))]
    first = Outcomes(Known(()), timedelta(minutes=5), ORIGIN)
    block = replace(BLOCK, versions=first.versions())
    output = first.process(block, records)
    later = Outcomes(Known(()), timedelta(minutes=5), Origin(SenderRules.of("", "other"), KeyRing()))
    redone = later.process(replace(block, redone=True, refusals=output.refusals), records)
    assert (fates(redone), redone.counts) == (fates(output), output.counts)


MINUTE = timedelta(minutes=1)
WHOSE = ("shop", "shop", "stranger", "office")
COPY = st.tuples(IDS, st.integers(0, 3), st.integers(0, 40), st.decimals(-100, 100, places=12), st.sampled_from(WHOSE))


def sums(rows: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[Decimal, Decimal, int]]:
    """(event, day) -> value, quantity and number of outcomes; days on which nothing is left are no days."""
    found: dict[tuple[str, int], tuple[Decimal, Decimal, int]] = {}
    for row in rows:
        key = row["event_id"], row["occurred_at"].day
        value, quantity, events = found.get(key, (Decimal(0), Decimal(0), 0))
        found[key] = value + row["value_usd"], quantity + row["quantity"], events + row["events"]
    return {key: sum_ for key, sum_ in found.items() if any(sum_)}


@pytest.mark.slow
@given(st.lists(st.lists(COPY, max_size=6), max_size=6))
def test_the_revision_that_counts_is_what_the_sums_say_on_its_day(blocks: list[list[Any]]) -> None:
    """However copies and corrections are cut into blocks: of each outcome the highest revision counts that its sender
    (or one who may correct it) sent, on the day that it says; a redo makes the same; every record has one fate."""
    origin = Origin(SenderRules.of("office=shop", ""), KeyRing({}))
    known = Known(())
    step = Outcomes(known, timedelta(minutes=5), origin)
    standing: dict[str, tuple[int, str, int, Decimal]] = {}
    first = 0
    for number, copies in enumerate(blocks):
        fixed_at = NOW + number * MINUTE
        block = replace(BLOCK, first_offset=first, fixed_at=fixed_at, versions=step.versions())
        records = []
        for at, (event_id, revision, hours, value, source) in enumerate(copies):
            occurred = NOW - timedelta(hours=hours)
            changes = {"revision": revision, "occurred_at": occurred.isoformat(), "value_usd": str(value)}
            records.append(record(first + at, event_id, source=source, quantity=str(hours), **changes))
            before = standing.get(event_id)
            if before is None or (
                revision > before[0] and (source == before[1] or (source, before[1]) == ("office", "shop"))
            ):
                standing[event_id] = revision, source, hours, value
        output = step.process(block, records)
        counts = output.counts
        assert counts.received == len(copies) == counts.booked + counts.duplicates + counts.quarantined
        known.book(output)
        redone = step.process(replace(block, redone=True, refusals=output.refusals), records)
        assert (redone.counts, fates(redone)) == (counts, fates(output))
        assert redone.tables.get("outcomes") == output.tables.get("outcomes")
        first += len(copies)
    assert sums(known.rows) == {
        (event_id, (NOW - timedelta(hours=hours)).day): (value, Decimal(hours), 1)
        for event_id, (_, _, hours, value) in standing.items()
    }

"""The outcomes step: every record gets exactly one fate."""

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.blocks.model import Block, SourcePartition, SourceRecord, Versions
from stream_jobs.outcomes.process import Outcomes

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BLOCK = Block(SourcePartition("usage.outcomes.v1", "id", 1), 0, 99, NOW, Versions(), 1)
EARLIER = NOW - timedelta(days=1)
IDS = st.sampled_from("abcd")


class Known:
    def __init__(self, ids: Collection[str], source: str = "shop") -> None:
        self._ids = ids
        self.source = source

    def booked(self, event_ids: Collection[str], block: Block) -> dict[str, datetime]:
        return {event_id: EARLIER for event_id in event_ids if event_id in self._ids}

    def sources(self, event_ids: Collection[str], block: Block) -> dict[str, str]:
        return dict.fromkeys(event_ids, self.source)


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


@settings(deadline=None)
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

"""usage.events.v1 and usage.outcomes.v1: no message, of any bytes, costs another its booking, or stops the job."""

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendstream_schemas import (
    InvalidMessageError,
    InvalidReason,
    OutcomeEvent,
    UsageEvent,
    parse_outcome_event,
    parse_usage_event,
)
from stream_jobs.metering.process import Metering
from stream_jobs.outcomes.process import Outcomes
from stream_jobs.store.tables import TABLES, arrow_table
from stream_jobs.streams.model import BlockOutput, SourceRecord
from tests.hostile import EXTREMES, examples, messages, sweep
from tests.unit.metering.build import TOLERANCE, FakeLedger, block, document
from tests.unit.metering.test_columnar import BOOKS, RULES, both, rows
from tests.unit.outcomes.test_process import Known

GOOD = json.dumps(document("good")).encode()
EVENTS = messages(examples("usage.events.v1"), tuple(UsageEvent.model_fields))
OUTCOMES = messages(examples("usage.outcomes.v1"), tuple(OutcomeEvent.model_fields))
STAMPS = st.sampled_from([None, -1, 0, -(2**63), 2**63 - 1, 1_760_000_000_000])
relaxed = settings(max_examples=40, suppress_health_check=list(HealthCheck))


def of(raw: Sequence[tuple[bytes, int | None]], good: bytes) -> list[SourceRecord]:
    """With one good message behind them."""
    return [SourceRecord(offset, stamp, None, value) for offset, (value, stamp) in enumerate([*raw, (good, None)])]


def check(output: BlockOutput, received: int) -> None:
    counts = output.counts
    assert counts.received == received == counts.booked + counts.duplicates + counts.quarantined
    offsets = {name: table.column("offset").to_pylist() for name, table in output.tables.items()}
    assert sorted(chain.from_iterable(offsets.values())) == list(range(received))
    refused = output.tables.get("quarantine")
    reasons = refused.column("reason").to_pylist() if refused is not None else []
    assert InvalidReason.PROCESSING_FAILED.value not in reasons, "our own code failed"


@relaxed
@given(st.lists(st.tuples(EVENTS, STAMPS), max_size=12))
def test_every_event_is_booked_or_quarantined_and_both_paths_agree(raw: list[tuple[bytes, int | None]]) -> None:
    """However extreme: each offset has one fate, the good message behind is booked, and the fast path, where it
    applies, books what the contract's models make of the same bytes."""
    records = of(raw, GOOD)
    fast, single = both(records, BOOKS["scoped"], {})
    check(fast, len(records))
    assert fast.counts == single.counts
    assert rows(fast) == rows(single)
    assert "good" in fast.tables["ledger"].column("event_id").to_pylist()


@relaxed
@given(st.lists(st.tuples(OUTCOMES, STAMPS), max_size=12))
def test_every_outcome_is_booked_or_quarantined(raw: list[tuple[bytes, int | None]]) -> None:
    """The same for outcomes."""
    good = json.dumps(examples("usage.outcomes.v1")[0] | {"event_id": "good", "occurred_at": "2026-11-20T11:00:00Z"})
    records = of(raw, good.encode())
    output = Outcomes(Known(()), timedelta(minutes=5)).process(block(), records)
    check(output, len(records))
    assert "good" in output.tables["outcomes"].column("event_id").to_pylist()


def test_no_extreme_value_in_an_outcome_is_too_much_for_a_column() -> None:
    """At every place, in blocks of a hundred."""
    raw = list(sweep(examples("usage.outcomes.v1"), tuple(OutcomeEvent.model_fields)))
    raw = [value.replace(b'"event_id": "', b'"event_id": "%d-' % number) for number, value in enumerate(raw)]
    for first in range(0, len(raw), 100):
        records = of([(value, None) for value in raw[first : first + 100]], GOOD)
        check(Outcomes(Known(()), timedelta(minutes=5)).process(block(), records), len(records))


def test_no_extreme_value_in_an_event_is_too_much_for_a_column() -> None:
    """At every place of some kinds of events, in blocks of a hundred; each under an id of its own."""
    chosen = [one for one in examples("usage.events.v1") if one["usage"]["kind"] != "tokens"][:3]
    raw = list(sweep(chosen, ("latency_ms", "complexity", "revision", "tool_calls")))
    raw = [value.replace(b'"event_id": "', b'"event_id": "%d-' % number) for number, value in enumerate(raw)]
    for first in range(0, len(raw), 100):
        records = of([(value, None) for value in raw[first : first + 100]], GOOD)
        check(Metering(BOOKS["scoped"], RULES, FakeLedger(), TOLERANCE).process(block(), records), len(records))


@pytest.mark.parametrize("quantity", [text for text in EXTREMES if text[0] in '"-0123456789'])
def test_what_the_contract_takes_a_column_holds(quantity: str) -> None:
    """Every amount that is valid has one form, which fits into the store's Decimal(38, 12) whatever it was given as."""
    usage = {"kind": "metered", "sku": "s", "quantity": "@", "unit": "u"}
    raw = json.dumps(document(usage=usage, model=None)).replace('"@"', quantity).encode()
    outcome = json.dumps(examples("usage.outcomes.v1")[0] | {"value_usd": "@", "quantity": "@"}).replace(
        '"@"', quantity
    )
    for read, value in ((parse_usage_event, raw), (parse_outcome_event, outcome.encode())):
        try:
            message: Any = read(value).message
        except InvalidMessageError:
            continue
        amount = getattr(message, "usage", message).quantity
        arrow_table("outcomes", [dict.fromkeys(TABLES["outcomes"].names) | {"quantity": amount}])
        exponent = amount.as_tuple().exponent
        assert isinstance(exponent, int)
        assert -12 <= exponent <= 0
        assert not (amount == 0 and amount.is_signed())


def test_a_dozen_of_what_was_too_wide_stops_nothing() -> None:
    """The event that once crashed the worker in a loop, more often than the stop for bad deployments allows."""
    usage = {"kind": "metered", "sku": "s", "quantity": "0e27", "unit": "u"}
    raw = [(json.dumps(document(f"e{number}", usage=usage)).encode(), None) for number in range(12)]
    output = Metering(BOOKS["plain"], RULES, FakeLedger(), TOLERANCE).process(block(), of(raw, GOOD))
    assert output.counts.booked == 13
    assert parse_usage_event(raw[0][0]).message.usage.model_dump()["quantity"] == 0

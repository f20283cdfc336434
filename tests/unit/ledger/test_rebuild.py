"""An event rebuilt from its ledger entry costs what the event costs, and belongs to whom it belongs to."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import ATTRIBUTION_FIELDS, UsageEvent
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import facts_of
from stream_jobs.ledger.rebuild import priced_facts, reported_facts
from stream_jobs.metering.decode import DecodedEvent
from stream_jobs.metering.process import with_attribution
from stream_jobs.metering.rows import Charge, charge_row
from stream_jobs.pricing.book import PriceBook
from stream_jobs.streams.model import SourceRecord
from tests.fuzz import examples
from tests.unit.metering.build import block
from tests.unit.pricing.events import event as any_event
from tests.unit.pricing.shipped import shipped_book
from tests.unit.pricing.strategies import events as token_events
from tests.unit.repricing.build import as_entries, book, rules

SCOPED = book(
    "scoped",
    {"scope": {"attribution": {"team": "search"}}, "discount_percent": "7.3"},
    {"scope": {"provider": "openai", "attribution": {"customer": "acme"}}, "multiplier": "0.333"},
)
BUILT_IN = shipped_book()
RULES = rules(
    {"name": "fill", "when": {"source": "test"}, "fill": {"team": "search", "project": "p-${label.app}"}},
    {"name": "rename", "rename": {"customer": {"acme-old": "acme"}}},
    {"name": "set", "when": {"model": {"glob": "gpt-*"}}, "set": {"owner": "mara"}},
)

names = st.one_of(st.none(), st.sampled_from(["search", "acme", "acme-old", "x", "é"]))
attributions = st.builds(
    lambda tags, labels: {n: t for n, t in tags.items() if t} | ({"labels": labels} if labels else {}),
    st.fixed_dictionaries(dict.fromkeys(ATTRIBUTION_FIELDS, names)),
    st.dictionaries(st.sampled_from(["app", "b"]), st.text("ab ", max_size=3), max_size=2),
)


@st.composite
def other_events(draw: st.DrawFn) -> UsageEvent:
    """Compute and metered usage."""
    if draw(st.booleans()):
        quantity = draw(st.decimals(0, 10**9, places=12))
        usage = {"kind": "metered", "sku": "vector-reads", "quantity": quantity, "unit": draw(st.sampled_from("ab"))}
        return any_event(usage, provider="own")
    usage = {
        "kind": "compute",
        "accelerator": "H100",
        "accelerator_count": draw(st.integers(1, 8)),
        "purchase_option": draw(st.sampled_from(["on_demand", "spot", "reserved"])),
        "gpu_seconds": draw(st.decimals(0, 10**6, places=12)),
        "cpu_seconds": draw(st.one_of(st.none(), st.decimals(0, 10**6, places=3))),
    }
    return any_event(usage, provider="aws", region=draw(st.sampled_from([None, "us-east-1"])))


@st.composite
def events(draw: st.DrawFn) -> UsageEvent:
    """Any event: token usage of every model and form, compute, metered, failed, cached, with and without tags."""
    found = draw(st.one_of(token_events(), token_events(), other_events()))
    changes: dict[str, Any] = {
        "status": draw(st.sampled_from(["ok", "ok", "error", "cancelled"])),
        "cached_response": draw(st.sampled_from([False, False, True])),
        "operation": draw(st.sampled_from([None, "chat", "embeddings"])),
        "region": found.region or draw(st.sampled_from([None, "us-east-1", "EU"])),
        "response_model": draw(st.sampled_from([None, found.model])),
        "attribution": draw(attributions),
        "stated_cost_usd": draw(st.one_of(st.none(), st.none(), st.decimals(0, 10**6, places=12))),
    }
    document = found.model_dump(exclude_none=True) | changes
    if draw(st.booleans()) and found.usage.kind == "tokens" and changes["response_model"]:
        document["model"] = None
    return UsageEvent.model_validate({name: value for name, value in document.items() if value is not None})


unknown = st.sampled_from([(), (), ("usage.new_tokens",), ("new_field",), ("conditions.x", "tool_calls.y")])


def booked(event: UsageEvent, paths: tuple[str, ...], prices: PriceBook, owners: AttributionRules) -> dict[str, Any]:
    """The ledger row that metering makes of the event."""
    decoded = DecodedEvent.of(SourceRecord(1, 0, b"", b""), event, paths)
    attributed = owners.apply(decoded.facts)
    pricing = prices.price(with_attribution(decoded.facts, attributed), paths)
    return charge_row(Charge(decoded, attributed, owners.version, pricing), block())


@pytest.mark.slow
@pytest.mark.parametrize("prices", [BUILT_IN, SCOPED], ids=["built-in", "scoped"])
@settings(max_examples=examples(100))
@given(given_events=st.lists(st.tuples(events(), unknown), min_size=1, max_size=6))
def test_a_rebuilt_event_has_the_same_price(
    prices: PriceBook, given_events: list[tuple[UsageEvent, tuple[str, ...]]]
) -> None:
    """Receipt, costs, or the reason without a price: equal to the last digit, for many rows of one table."""
    entries = as_entries([booked(event, paths, prices, RULES) for event, paths in given_events])
    rebuilt = priced_facts(entries, scoped=prices.scoped)
    for row, (event, paths) in enumerate(given_events):
        facts = facts_of(event)
        expected = prices.price(with_attribution(facts, RULES.apply(facts)), paths)
        assert prices.price(*rebuilt(row)) == expected


@pytest.mark.slow
@settings(max_examples=examples(70))
@given(given_events=st.lists(events(), min_size=1, max_size=6))
def test_a_rebuilt_event_says_what_its_sender_said(given_events: list[UsageEvent]) -> None:
    """Other rules give a booked event what they would have given it: what the first rules changed is known."""
    later = rules(
        {"name": "other", "fill": {"team": "late-${source}"}},
        {"name": "by label", "when": {"label.app": {"missing": False}}, "set": {"feature": "f"}},
        {"name": "by customer", "when": {"customer": "acme-old"}, "set": {"owner": "old"}},
    )
    entries = as_entries([booked(event, (), BUILT_IN, RULES) for event in given_events])
    rebuilt = reported_facts(entries)
    for row, event in enumerate(given_events):
        assert later.apply(rebuilt(row)) == later.apply(facts_of(event))
        assert RULES.apply(rebuilt(row)) == RULES.apply(facts_of(event))

"""The simulated company uses what exists, and what has a price."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from spendstream_schemas import MANDATORY_TAGS, UnpricedReason
from spendstream_traffic.simulate import SimulationConfig, generate, parse_incident
from spendstream_traffic.simulate.catalog import CELLS, TIER_CHANGE_TO, WORKLOADS
from stream_jobs.cli.demo import EXAMPLE_CONFIG
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook


def test_shares_and_mixes_are_whole() -> None:
    """Probabilities add up to one."""
    assert sum(cell.share for cell in CELLS) == pytest.approx(1)
    assert all(sum(workload.environments) == pytest.approx(1) for workload in WORKLOADS)
    assert all((workload.usage is None) == bool(workload.models and workload.tokens) for workload in WORKLOADS)


def test_the_company_is_varied() -> None:
    """Several teams, providers, kinds of usage, tiers, and a workload that never sends its mandatory tags."""
    assert len({workload.team for workload in WORKLOADS}) >= 5
    assert {"openai", "anthropic", "google", "aws", "mistral"} <= {cell.provider for cell in CELLS}
    assert {type(workload.usage).__name__ for workload in WORKLOADS} == {"NoneType", "Job", "Metered"}
    assert "batch" in {workload.tier for workload in WORKLOADS}
    assert any(set(workload.untagged) & set(MANDATORY_TAGS) for workload in WORKLOADS)


def test_everything_simulated_has_a_price() -> None:
    """Of an hour of a working day with the priority tier too, only calls cut before usage was reported have none."""
    start = datetime(2026, 11, 18, 10, tzinfo=UTC)
    end = start + timedelta(hours=1)
    incidents = (parse_incident("tier_change:start=0s:end=1h", start, end),)
    book = PriceBook.load(EXAMPLE_CONFIG)
    reasons: Counter[tuple[str, ...]] = Counter()
    seen = set()
    events = 0
    for event in generate(SimulationConfig(start, timedelta(hours=1), rate=4.0, incidents=incidents)):
        events += 1
        seen.add((event.source, event.attribution.feature, event.model, event.service_tier))
        pricing = book.price(facts_of(event))
        if pricing.reason is not None:
            reasons[(pricing.reason.value, event.provider, event.model or "", pricing.detail)] += 1
    unknown = sum(count for key, count in reasons.items() if key[0] == UnpricedReason.USAGE_UNKNOWN)
    assert sum(reasons.values()) == unknown, reasons
    assert 0 < unknown < 0.01 * events
    assert TIER_CHANGE_TO in {tier for *_, tier in seen}
    assert len({model for _, _, model, _ in seen}) > 12

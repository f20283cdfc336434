"""Events of the simulation: valid, repeatable, in order, and as varied as promised."""

import itertools
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import MANDATORY_TAGS, ComputeUsage, MeteredUsage, TokenUsage, UsageEvent, parse_usage_event
from spendstream_traffic.simulate import SimulationConfig, generate, labels, messages, parse_incident
from spendstream_traffic.simulate.catalog import ENVIRONMENTS
from spendstream_traffic.simulate.incidents import KINDS

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
CONFIG = SimulationConfig(START, timedelta(minutes=20), rate=10.0, seed=3)


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**63 - 1),
    hours=st.integers(0, 24 * 400),
    minutes=st.integers(1, 600),
    kinds=st.lists(st.sampled_from(KINDS), max_size=3),
    customers=st.integers(1, 16),
    missing=st.floats(0, 1),
)
@settings(max_examples=40)
def test_every_message_is_valid_by_the_contract(
    seed: int, hours: int, minutes: int, kinds: list[str], customers: int, missing: float
) -> None:
    """Whatever is asked for: no unknown field, unique ids, ascending times within the run, as message and as model."""
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    end = start + timedelta(minutes=minutes)
    config = SimulationConfig(
        start,
        timedelta(minutes=minutes),
        rate=120 / (60 * minutes),
        seed=seed,
        incidents=tuple(parse_incident(kind, start, end) for kind in kinds),
        customers=customers,
        users_per_customer=20,
        missing_tag_share=missing,
    )
    ids = set()
    last = start
    for message, event in zip(itertools.islice(messages(config), 300), generate(config), strict=False):
        parsed = parse_usage_event(message.value)
        assert parsed.unknown_fields == ()
        assert parsed.message == event
        assert (event.event_id, event.occurred_at) == (message.event_id, message.occurred_at)
        assert last <= event.occurred_at < end
        last = event.occurred_at
        ids.add(event.event_id)
    assert len(ids) == min(300, sum(1 for _ in messages(config)))


def test_equal_configurations_give_equal_bytes_and_other_seeds_others() -> None:
    """Down to the last byte, so that runs can be compared and repeated."""
    first = [message.value for message in messages(CONFIG)]
    assert first == [message.value for message in messages(replace(CONFIG))]
    other = [message.value for message in messages(replace(CONFIG, seed=4))]
    assert not set(first) & set(other)


@pytest.mark.slow
def test_another_run_id_is_the_same_traffic_with_other_ids() -> None:
    """To load a pipeline twice with the same work."""
    first, second = list(generate(CONFIG)), list(generate(replace(CONFIG, run_id="b")))
    assert {event.event_id for event in first}.isdisjoint(event.event_id for event in second)
    without = [event.model_copy(update={"event_id": "", "retry_of": None}) for event in first]
    assert without == [event.model_copy(update={"event_id": "", "retry_of": None}) for event in second]


@pytest.fixture(scope="module")
def day() -> list[UsageEvent]:
    """A working day, some 40,000 events."""
    return list(generate(SimulationConfig(START.replace(hour=0), timedelta(days=1), rate=0.45, seed=5)))


@pytest.mark.slow
def test_traffic_is_multi_tenant_and_mixed(day: list[UsageEvent]) -> None:
    """Customers and users with a few large ones, all kinds of usage, all environments, every status."""
    customers = Counter(event.attribution.customer for event in day if event.attribution.customer)
    assert len(customers) == 12
    assert customers["acme"] > 5 * customers["vandelay"]
    users = Counter(event.attribution.user_id for event in day if event.attribution.user_id)
    assert len(users) > 500
    assert all(user.startswith(f"{user.rpartition('-u')[0]}-u") for user in users)
    assert {type(event.usage) for event in day} == {TokenUsage, ComputeUsage, MeteredUsage}
    assert {event.attribution.environment for event in day} >= set(ENVIRONMENTS)
    assert {event.status for event in day} == {"ok", "error", "cancelled"}
    assert {event.service_tier for event in day} == {None, "standard", "batch"}
    assert sum(event.cached_response for event in day) > 0.01 * len(day)


@pytest.mark.slow
def test_failed_calls_used_nothing_and_some_are_retried(day: list[UsageEvent]) -> None:
    """A retry names an earlier failed attempt of the same feature and model."""
    by_id = {event.event_id: event for event in day}
    failed = [event for event in day if event.status == "error"]
    assert all(isinstance(event.usage, TokenUsage) and event.usage.output_tokens == 0 for event in failed)
    retries = [event for event in day if event.retry_of]
    assert len(retries) > 0.1 * len(failed)
    for retry in retries:
        assert retry.retry_of is not None
        attempt = by_id[retry.retry_of]
        assert attempt.status == "error"
        assert (attempt.model, attempt.attribution.feature) == (retry.model, retry.attribution.feature)
        assert attempt.occurred_at <= retry.occurred_at


def test_the_share_of_missing_tags_is_as_configured() -> None:
    """2 % of about 4,000 events lack a mandatory tag by chance; the bound is four standard deviations (0.9 %)."""
    config = SimulationConfig(START, timedelta(hours=1), rate=1.2, missing_tag_share=0.02)
    tagged = [event for event in generate(config) if event.source != "ml-lab"]
    missing = sum(any(getattr(event.attribution, tag) is None for tag in MANDATORY_TAGS) for event in tagged)
    assert abs(missing / len(tagged) - 0.02) < 0.009
    assert all(
        event.attribution.cost_center is None for event in generate(config) if event.source == "ml-lab"
    )  # this service never sends it


def test_labels_are_the_incidents() -> None:
    """As JSON values, in the order of the command line."""
    incidents = tuple(parse_incident(kind, START, CONFIG.end) for kind in ("spike", "drop"))
    found = labels(replace(CONFIG, incidents=incidents))
    assert [label["kind"] for label in found] == ["spike", "drop"]
    assert {"kind", "start", "end", "scope", "factor", "changes"} == found[0].keys()


def test_twenty_thousand_events_per_second_on_one_core() -> None:
    """The floor of the demo, by the processor's clock, so that a busy machine does not fail it."""
    config = SimulationConfig(START, timedelta(minutes=10), rate=100.0)
    started = time.process_time()
    count = sum(1 for _ in messages(config))
    assert count / (time.process_time() - started) > 20_000


@pytest.mark.slow
def test_sessions_are_of_one_user_and_one_stretch_of_time(day: list[UsageEvent]) -> None:
    """Conversations have several turns, runs of agents several steps, all of one user (where calls have one), one
    service and one feature, within the session's time."""
    sessions: dict[str, list[UsageEvent]] = {}
    for event in day:
        if event.session_id:
            sessions.setdefault(event.session_id, []).append(event)
    assert {name.partition("-")[0] for name in sessions} == {"conv", "run"}
    assert sum(len(calls) > 1 for calls in sessions.values()) > 0.03 * len(sessions)
    for calls in sessions.values():
        assert len({(call.source, call.attribution.customer, call.attribution.user_id) for call in calls}) == 1
        assert calls[-1].occurred_at - calls[0].occurred_at <= timedelta(hours=1)


def test_what_analysis_needs_is_sent(day: list[UsageEvent]) -> None:
    """Prompts repeat within a feature and customer, and answers of an own cache are among those; complexity differs by
    feature; a part could have waited; versions of a prompt stand side by side; models of one's own run on a pool."""
    prompts = Counter(event.prompt_fingerprint for event in day if event.prompt_fingerprint)
    assert 1.05 < prompts.total() / len(prompts) < 3
    assert all(event.prompt_fingerprint for event in day if event.cached_response)
    owners: dict[str, set[tuple[str | None, str | None]]] = {}
    for event in day:
        if event.prompt_fingerprint and event.attribution.feature:
            who = event.attribution.feature, event.attribution.customer
            owners.setdefault(event.prompt_fingerprint, set()).add(who)
    assert all(len(who) == 1 for who in owners.values())
    by_feature: dict[str, list[float]] = {}
    for event in day:
        if event.complexity is not None and event.attribution.feature:
            by_feature.setdefault(event.attribution.feature, []).append(event.complexity)
    means = {feature: sum(values) / len(values) for feature, values in by_feature.items()}
    assert means["triage"] < 0.25 < means["rag-answer"] < 0.65 < means["plan"]
    assert 0.02 < sum(bool(event.batchable) for event in day) / len(day) < 0.4
    versions = Counter((event.attribution.labels or {}).get("prompt") for event in day)
    assert versions["a"] > 1000
    assert versions["b"] > 1000
    assert {event.region for event in day if event.source == "search-api"} == {"us-east-1", "eu-west-1"}
    assert len({event.source for event in day if event.attribution.feature == "answer"}) == 2
    assert any(event.provider == "vllm" for event in day)


@pytest.mark.slow
def test_machines_are_held_longer_than_they_are_busy() -> None:
    """Every purchase option is used, and each has idle seconds."""
    config = SimulationConfig(START, timedelta(days=20), rate=0.3, seed=9)
    held: Counter[str] = Counter()
    busy: Counter[str] = Counter()
    for event in generate(config):
        if isinstance(event.usage, ComputeUsage):
            assert event.usage.duration_s == 600 or event.occurred_at > config.end - timedelta(minutes=10)
            held[event.usage.purchase_option] += int(event.usage.gpu_seconds or 0)
            busy[event.usage.purchase_option] += int(event.usage.busy_gpu_seconds or 0)
    assert held.keys() == {"on_demand", "spot", "reserved", "committed"}
    assert all(busy[option] < 0.9 * held[option] for option in held)

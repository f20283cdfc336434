"""Seasons, growth and incidents are really in the traffic. Counts are Poisson: with n events expected, a bound of
4 x sqrt(n) fails by chance once in 16,000 runs, and the seed is fixed. The noise of the rate (8 % per workload and
quarter of an hour) averages out over the hours compared; its share is in the bounds."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import sqrt

import pytest

from spendstream_schemas import TokenUsage, UsageEvent
from spendstream_traffic.simulate import SimulationConfig, generate, parse_incident

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=10)
HOUR = SimulationConfig(NOON, timedelta(hours=1), rate=2.0, seed=11)
Match = Callable[[UsageEvent], bool]


@lru_cache(maxsize=3)
def events(config: SimulationConfig, *incidents: str) -> list[UsageEvent]:
    parsed = tuple(parse_incident(text, config.start, config.end) for text in incidents)
    return list(generate(replace(config, incidents=parsed)))


def content(found: list[UsageEvent]) -> list[str]:
    """What the events say, without the ids, which name the configuration, and what a retry has of its attempt: which
    one that is depends on what failed before."""
    own = {"event_id", "retry_of", "prompt_fingerprint"}
    return [event.model_dump_json(exclude=own) for event in found]


def count(found: list[UsageEvent], start: int, end: int, match: Match = lambda _: True) -> int:
    """Matching events from minute `start` to minute `end` of the hour."""
    low, high = NOON + timedelta(minutes=start), NOON + timedelta(minutes=end)
    return sum(low <= event.occurred_at < high and match(event) for event in found)


@pytest.mark.parametrize(
    ("rate", "duration"),
    [(20.0, timedelta(minutes=10)), (0.1, timedelta(days=3)), (300.0, timedelta(seconds=20))],
)
def test_the_mean_rate_is_kept(rate: float, duration: timedelta) -> None:
    """Over the run, whatever season it lies in."""
    found = sum(1 for _ in generate(SimulationConfig(NOON, duration, rate=rate)))
    expected = rate * duration.total_seconds()
    assert abs(found - expected) < 4 * sqrt(expected) + 0.08 * expected


@pytest.mark.slow
def test_days_nights_and_weekends() -> None:
    """A week of support traffic (business hours) and of nightly summaries."""
    week = list(generate(SimulationConfig(MONDAY, timedelta(days=7), rate=0.05, seed=2, growth_per_30_days=0.0)))
    support = Counter(
        (event.occurred_at.weekday() >= 5, 8 <= event.occurred_at.hour < 18)
        for event in week
        if event.source == "support-bot"
    )
    per_hour = {key: total / ((2 if key[0] else 5) * (10 if key[1] else 14)) for key, total in support.items()}
    assert per_hour[(False, True)] > 3 * per_hour[(False, False)]
    assert per_hour[(False, True)] > 3 * per_hour[(True, True)]
    nightly = [event for event in week if event.source == "doc-summarizer"]
    assert sum(event.occurred_at.hour < 6 for event in nightly) > 0.8 * len(nightly)
    assert all(event.service_tier == "batch" for event in nightly)


@pytest.mark.slow
def test_growth() -> None:
    """Doubling every 30 days: the last of four weeks has 2^(21/30) = 1.62 times the first one's traffic."""
    config = SimulationConfig(MONDAY, timedelta(days=28), rate=0.01, seed=2, growth_per_30_days=1.0)
    weeks = Counter((event.occurred_at - MONDAY).days // 7 for event in generate(config))
    assert weeks[3] / weeks[0] == pytest.approx(1.62, abs=0.15)


@pytest.mark.parametrize("incident", ["spike", "drop", "double:team=agents", "runaway_user", "ramp:start=40m:end=60m"])
def test_the_traffic_outside_of_an_incident_does_not_change(incident: str) -> None:
    """Event by event: so the effect of an incident is exactly the difference."""
    parsed = parse_incident(incident, HOUR.start, HOUR.end)
    base, changed = events(HOUR), events(HOUR, incident)

    def outside(found: list[UsageEvent]) -> list[str]:
        return content([event for event in found if not parsed.start <= event.occurred_at < parsed.end])

    assert outside(base) == outside(changed)
    assert content(base) != content(changed)


@pytest.mark.parametrize(
    ("incident", "factor", "match"),
    [
        ("double:start=20m:end=40m", 2, lambda event: True),
        ("spike:start=20m:end=40m", 10, lambda event: event.attribution.feature in ("rag-answer", "embed")),
        ("night:start=20m:end=40m", 20, lambda event: event.source == "support-bot"),
        ("spike:start=20m:end=40m:provider=anthropic", 10, lambda event: event.provider == "anthropic"),
        ("spike:start=20m:end=40m:customer=globex", 10, lambda event: event.attribution.customer == "globex"),
        ("spike:start=20m:end=40m:model=gpt-4o-mini:customer=acme", 10,
         lambda event: event.model == "gpt-4o-mini" and event.attribution.customer == "acme"),
    ],
)  # fmt: skip
def test_volume_grows_by_the_factor_within_time_and_scope(incident: str, factor: int, match: Match) -> None:
    """And nothing else grows. (Project search also has a GPU reranker and an index: those are in the scope, too.)"""
    config = replace(HOUR, missing_tag_share=0.0)
    base, changed = events(config), events(config, incident)
    before = count(base, 20, 40, match)
    added = count(changed, 20, 40, match) - before
    expected = (factor - 1) * before
    # `before` is itself a Poisson number, so its own deviation counts (factor - 1) times.
    assert abs(added - expected) < 4 * sqrt(expected + (factor - 1) ** 2 * before)
    scope = parse_incident(incident, HOUR.start, HOUR.end).scope
    if scope and "project" not in scope:
        assert count(changed, 0, 60, lambda e: not match(e)) == count(base, 0, 60, lambda e: not match(e))


@pytest.mark.slow
def test_a_drop_to_zero_leaves_nothing_and_half_a_drop_leaves_half() -> None:
    """Only in the scope."""
    base = events(HOUR)
    match: Match = lambda event: event.source == "search-api"  # noqa: E731
    gone = events(HOUR, "drop:start=20m:end=40m")
    assert count(gone, 20, 40, match) == 0
    assert count(base, 20, 40, match) > 300
    assert count(gone, 20, 40) == count(base, 20, 40) - count(base, 20, 40, match)
    half = count(events(HOUR, "drop:start=20m:end=40m:factor=0.5"), 20, 40, match)
    expected = count(base, 20, 40, match) / 2
    assert abs(half - expected) < 4 * sqrt(expected / 2)


def test_a_ramp_rises_slowly() -> None:
    """From nothing to the factor: what is added grows with time, so the second half adds 3 times the first."""
    config = replace(HOUR, rate=3.0)
    base, ramp = events(config), events(config, "ramp:start=0s:end=60m:team=support:factor=5")
    match: Match = lambda event: event.source == "support-bot"  # noqa: E731
    added = [count(ramp, low, low + 30, match) - count(base, low, low + 30, match) for low in (0, 30)]
    assert added[1] / added[0] == pytest.approx(3, rel=0.15)
    assert sum(added) == pytest.approx(2 * count(base, 0, 60, match), rel=0.1)


def test_one_user_runs_away() -> None:
    """All that is added is that user's, and it is a lot for one user."""
    base, changed = events(HOUR), events(HOUR, "runaway_user:start=20m:end=40m")
    users = [Counter(event.attribution.user_id for event in found) for found in (base, changed)]
    assert sum(users[1].values()) > sum(users[0].values())
    added = users[1] - users[0]
    assert set(added) == {"acme-u17"}
    largest = max(total for user, total in users[0].items() if user is not None)
    assert added["acme-u17"] > 3 * largest


def hit_rate(found: list[UsageEvent], start: int, end: int) -> float:
    """Cache read tokens per input token of the search project's answers."""
    usages = [
        event.usage
        for event in found
        if event.attribution.feature == "rag-answer"
        and NOON + timedelta(minutes=start) <= event.occurred_at < NOON + timedelta(minutes=end)
        and isinstance(event.usage, TokenUsage)
    ]
    read = sum(usage.cache_read_tokens or 0 for usage in usages)
    return read / sum(usage.input_tokens or 0 for usage in usages)


def test_the_cache_hit_rate_collapses() -> None:
    """To a twentieth, without any change of volume; what was read is written anew where the provider has writes."""
    base, changed = events(HOUR), events(HOUR, "cache_collapse:start=20m:end=40m")
    assert len(base) == len(changed)
    assert hit_rate(base, 20, 40) > 0.35
    assert hit_rate(changed, 20, 40) < 0.1 * hit_rate(base, 20, 40)
    assert hit_rate(changed, 0, 20) == hit_rate(base, 0, 20)

    def written(found: list[UsageEvent]) -> int:
        answers = [event.usage for event in found if event.attribution.feature == "rag-answer"]
        return sum(getattr(usage, "cache_write_5m_tokens", 0) or 0 for usage in answers)

    # 30 % of the prefixes are written at normal times; during a third of the hour it is 96.5 % of them.
    assert written(changed) / written(base) == pytest.approx((2 * 0.30 + 0.965) / (3 * 0.30), rel=0.2)


def test_the_price_tier_changes() -> None:
    """Served as priority, where the provider sells it; neither tokens nor volume change."""
    base, changed = events(HOUR), events(HOUR, "tier_change:start=20m:end=40m")
    tiers = [(a.service_tier, b.service_tier) for a, b in zip(base, changed, strict=True)]
    assert Counter(tiers)[("standard", "priority")] > 500
    assert set(tiers) <= {("standard", "priority"), ("standard", "standard"), ("batch", "batch"), (None, None)}
    moved = [event for event in changed if event.service_tier == "priority"]
    assert {event.provider for event in moved} == {"openai"}
    assert {event.source for event in moved} == {"support-bot"}
    assert [event.usage for event in base] == [event.usage for event in changed]


def test_incidents_combine() -> None:
    """Two at the same time: the sum of what each adds."""
    both = events(HOUR, "spike:start=20m:end=40m", "runaway_user:start=20m:end=40m")
    spike, user = (events(HOUR, f"{kind}:start=20m:end=40m") for kind in ("spike", "runaway_user"))
    base = events(HOUR)
    added = len(spike) + len(user) - 2 * len(base)
    assert len(both) - len(base) == pytest.approx(added, abs=4 * sqrt(added))

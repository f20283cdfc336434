"""Known input, generated from a seed: every message that will be sent, and what must become of it.

All the ways in which services misbehave are in here: retries with the same id, copies with other content, revisions
before and after what they correct, late and slightly future events, unknown prices, unknown fields, and every kind of
message that must be refused.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from spendstream_schemas import MAX_MESSAGE_BYTES

INVALID_EXAMPLES: Final = Path(__file__).resolve().parents[2] / "schemas" / "examples" / "usage.events.v1" / "invalid"
SERVICE_SHARE: Final = 0.15
"""Of the events go through the real SDK in a process of its own."""
LATE: Final = timedelta(days=30)
PAST_HOURS: Final = 5 * 24
PAST_EACH: Final = 10
"""Usual events an hour before all of this: what anomalies are judged by."""
BEFORE: Final = timedelta(hours=4)
INCIDENT_EVENTS: Final = 60
INCIDENT_S: Final = (3000, 2400)
"""How long ago a user begins to spend far more than anybody, and ends."""
RUNAWAY: Final = "user-7"
AHEAD_MAX_S: Final = 120
"""Clocks of services run ahead by this much at most: less than what the pipeline tolerates."""

MODELS: Final = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-1"),
    ("google", "gemini-2.5-pro"),
    ("x-ai", "grok-4"),
)
UNPRICED: Final = (("openai", "gpt-4o-imaginary"), ("nobody", "model-1"), ("mistral", "mistral-large-latest"))


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: a Kafka key and value."""

    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class Traffic:
    """The messages in the order of sending, and what each value is: an event, or the reason why it is refused."""

    past: list[Message] = field(default_factory=list)  # sent and booked before anything goes wrong
    messages: list[Message] = field(default_factory=list)
    service: list[dict[str, Any]] = field(default_factory=list)  # sent through the SDK
    events: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    poison: dict[bytes, str] = field(default_factory=dict)


def generate(seed: int, events: int, now: datetime | None = None) -> Traffic:
    """About `events` distinct events and what comes with them. `now` is what the clock of the services says."""
    rng = random.Random(f"traffic {seed}")
    now = now or datetime.now(UTC)
    traffic = Traffic()
    positions: list[tuple[float, Message]] = []  # where in the stream each message is sent
    through_sdk = round(events * SERVICE_SHARE)
    for number in range(events):
        event = _event(rng, now, f"{'s' if number < through_sdk else 'e'}{seed}-{number}")
        if number < through_sdk:
            traffic.service.append(event)
            continue
        at = rng.random() * events
        versions = [event, *_corrections(rng, now, event)]
        for version in versions:
            value = _encode(version)
            traffic.events[value] = version
            # A correction may overtake what it corrects: services retry, and clocks of machines differ.
            sent_at = at + (rng.uniform(-20, 400) if version is not event else 0)
            positions.append((sent_at, Message(event["event_id"].encode(), value)))
            if len(versions) == 1 and rng.random() < 0.02:
                # The same event under another key, so in another partition perhaps: what finds it is reconciliation.
                near = sent_at + rng.choice((0.0, rng.uniform(0, 200)))
                positions.append((near, Message(f"stray {rng.random()}".encode(), value)))
            if rng.random() < 0.08:
                for _ in range(rng.choice((1, 1, 2, 6))):  # the same bytes again: at once, later, much later
                    again = sent_at + rng.choice((0.0, rng.uniform(0, 50), rng.uniform(0, events)))
                    positions.append((again, Message(event["event_id"].encode(), value)))
    for number in range(INCIDENT_EVENTS):
        event = _incident(rng, now, f"i{seed}-{number}")
        value = _encode(event)
        traffic.events[value] = event
        positions.append((rng.random() * events, Message(event["event_id"].encode(), value)))
    for number in range(PAST_HOURS * PAST_EACH):
        then = now - BEFORE - timedelta(seconds=3600 * number / PAST_EACH)
        event = _event(rng, now, f"p{seed}-{number}") | {"occurred_at": then.isoformat()}
        value = _encode(event)
        traffic.events[value] = event
        traffic.past.append(Message(event["event_id"].encode(), value))
    for poison, reason in _poison(rng, now):
        traffic.poison[poison or b""] = reason
        for _ in range(max(1, events // 3000)):
            key = rng.choice((None, b"", b"\x00\xff", str(rng.random()).encode()))
            positions.append((rng.random() * events, Message(key, poison)))
    positions.sort(key=lambda item: item[0])
    traffic.messages = [message for _, message in positions]
    return traffic


def _encode(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def _corrections(rng: random.Random, now: datetime, event: dict[str, Any]) -> list[dict[str, Any]]:
    """Later revisions of an event, and other events under the same id and revision, of which the first counts."""
    found = []
    if rng.random() < 0.04:
        revisions = sorted(rng.sample(range(1, 9), rng.choice((1, 1, 2))))
        # From the event's own source: what others send under its id is no correction.
        own = {"source": event["source"]}
        found += [_event(rng, now, event["event_id"]) | own | {"revision": revision} for revision in revisions]
    elif rng.random() < 0.02:
        found.append(_event(rng, now, event["event_id"]))
    return found


def _occurred(rng: random.Random, now: datetime) -> str:
    kind = rng.random()
    if kind < 0.80:
        at = now - timedelta(seconds=rng.uniform(0, 7200))
    elif kind < 0.90:
        at = now - LATE - timedelta(seconds=rng.uniform(0, 86_400))
    elif kind < 0.93:
        at = now - timedelta(days=rng.uniform(31, 700))
    else:
        at = now + timedelta(seconds=rng.uniform(1, AHEAD_MAX_S))
    offset = timedelta(hours=rng.choice((0, 0, 0, 2, -8)))
    return (at + offset).replace(tzinfo=None).isoformat() + ("Z" if not offset else _zone(offset))


def _zone(offset: timedelta) -> str:
    hours = round(offset.total_seconds() / 3600)
    return f"{'-' if hours < 0 else '+'}{abs(hours):02}:00"


def _event(rng: random.Random, now: datetime, event_id: str) -> dict[str, Any]:
    event: dict[str, Any] = {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": _occurred(rng, now),
        "source": rng.choice(("gateway", "search-api", "batch")),
        "attribution": _attribution(rng),
    }
    kind = rng.random()
    if kind < 0.92:
        provider, model = rng.choice(UNPRICED if rng.random() < 0.04 else MODELS)
        total, written = rng.randint(0, 200_000), rng.randint(0, 5_000)
        usage: dict[str, Any] = {"kind": "tokens", "input_tokens": total, "output_tokens": written}
        if rng.random() < 0.3:
            usage["cache_read_tokens"] = rng.randint(0, total)
        if rng.random() < 0.2:
            usage["reasoning_tokens"] = rng.randint(0, written)
        event |= {"provider": provider, "model": model, "operation": "chat", "usage": usage}
        if rng.random() < 0.05:
            event["cached_response"] = True
        if rng.random() < 0.05:
            event["tool_calls"] = {"web_search": rng.randint(0, 5)}
    elif kind < 0.97:
        usage = {"kind": "compute", "accelerator": "H100", "purchase_option": rng.choice(("on_demand", "spot"))}
        usage["gpu_seconds"] = f"{rng.randint(1, 10**9)}e-{rng.randint(3, 9)}"
        event |= {"provider": "aws", "usage": usage}
    else:
        usage = {"kind": "metered", "sku": "egress-internet", "unit": "GB", "quantity": f"{rng.random():.12f}"}
        event |= {"provider": "aws", "region": "us-east-1", "usage": usage}
    if rng.random() < 0.05:
        event["status"] = rng.choice(("error", "cancelled"))
    if not event_id.startswith("s") and rng.random() < 0.02:
        event[rng.choice(("brand_new", "x-labels"))] = rng.choice((1, [], "text"))
    return event


def _incident(rng: random.Random, now: datetime, event_id: str) -> dict[str, Any]:
    """One of many long requests of one user within minutes."""
    event = _event(rng, now, event_id)
    at = now - timedelta(seconds=rng.uniform(*sorted(INCIDENT_S)))
    usage = {"kind": "tokens", "input_tokens": 900_000, "output_tokens": 50_000}
    kind = {"provider": "anthropic", "model": "claude-opus-4-1", "operation": "chat", "usage": usage}
    return {**event, **kind, "occurred_at": at.isoformat(), "attribution": event["attribution"] | {"user_id": RUNAWAY}}


def _attribution(rng: random.Random) -> dict[str, Any]:
    tags = {
        "project": rng.choice(("apollo", "gemini", "vostok")),
        "environment": rng.choice(("production", "staging", "dev")),
        "cost_center": rng.choice(("cc-1", "cc-2")),
        "workload_type": rng.choice(("inference", "evaluation")),
        "team": rng.choice(("search", "ads")),
        "feature": rng.choice(("chat", "summaries")),
        "customer": f"customer-{rng.randint(0, 20)}",
        "user_id": f"user-{rng.randint(0, 50)}",
    }
    return {name: value for name, value in tags.items() if rng.random() < 0.95}


def _poison(rng: random.Random, now: datetime) -> Iterator[tuple[bytes | None, str]]:
    """Every kind of message that must be refused, with the reason it is refused for."""
    for path in sorted(INVALID_EXAMPLES.iterdir()):
        yield path.read_bytes(), path.stem.split("-")[0]
    for index in range(3):
        ahead = now + timedelta(hours=rng.uniform(1, 10_000))
        event = _event(rng, now, f"future-{index}") | {"occurred_at": ahead.isoformat()}
        yield _encode(event), "occurred_in_future"
    yield None, "empty_message"
    yield b"\xff\xfe{}", "not_json"
    yield b"[" * 30_000, "not_json"
    yield b'{"a": "' + b"x" * MAX_MESSAGE_BYTES + b'"}', "too_large"

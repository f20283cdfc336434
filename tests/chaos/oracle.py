"""What the ledger and every rollup must hold, computed from the log alone with whole numbers.

The price of one event and its category come from the application; who wins, what is summed and under which key is
worked out here a second time, in another way.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from spendstream_schemas import parse_usage_event
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from tests.chaos.traffic import Traffic

PICO: Final = 10**12
MONEY: Final = ("list_cost", "contracted_cost", "effective_cost", "avoided_cost")
FRACTIONS: Final = (*MONEY, "unallocated_cost", "gpu_seconds")
"""Measures that are Decimal(38, 12) in the store and whole numbers of 1e-12 here."""
MEASURES: Final = (
    "events",
    *MONEY,
    *("unpriced_events", "unallocated_events", "unallocated_cost", "cached_responses", "errors"),
    *("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "gpu_seconds", "tool_calls"),
)
_BY_MINUTE: Final = ("project", "team", "environment", "category", "feature", "provider", "model")
_BY_HOUR: Final = (
    *_BY_MINUTE,
    *("cost_center", "workload_type", "owner", "budget_code", "customer", "source", "price_model", "operation"),
    *("service_tier", "region"),
)
_BY_OPERATION: Final = ("subcategory", "accelerator", "purchase_option")
ROLLUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "cost_1m": ("minute", *_BY_MINUTE),
    "cost_1h": ("hour", *_BY_HOUR),
    "cost_1d": ("day", *_BY_HOUR, "user_id"),
    "operations_1d": ("day", *_BY_HOUR, *_BY_OPERATION),
}
"""The key of each rollup: the time first."""
MANDATORY: Final = ("project", "environment", "cost_center", "workload_type")

Key = tuple[Any, ...]
Sums = dict[str, int]
Log = Mapping[int, list[bytes | None]]
"""By partition, the values in offset order: what the broker holds."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One valid event: what it counts, and under which dimensions."""

    event_id: str
    revision: int
    occurred_at: datetime
    dimensions: Mapping[str, str]
    measures: Mapping[str, int]

    def key(self, rollup: str) -> Key:
        at = self.occurred_at.replace(tzinfo=None)
        minute = at - timedelta(seconds=at.second, microseconds=at.microsecond)
        times = {"minute": minute, "hour": minute - timedelta(minutes=minute.minute), "day": at.date()}
        time, *names = ROLLUPS[rollup]
        return (times[time], *(self.dimensions[name] for name in names))


@dataclass(slots=True)
class Expected:
    """What must be found in the store."""

    winners: dict[str, Fact] = field(default_factory=dict)  # by event_id: the one copy that counts
    winner_at: dict[str, tuple[int, int]] = field(default_factory=dict)  # its partition and offset
    refused: dict[tuple[int, int], str] = field(default_factory=dict)  # reason by partition and offset
    events_at: set[tuple[int, int]] = field(default_factory=set)  # where valid events lie
    ends: dict[int, int] = field(default_factory=dict)  # records by partition
    strays: set[str] = field(default_factory=set)  # events that lie in more than one partition

    def rollup(self, name: str) -> dict[Key, Sums]:
        sums: dict[Key, Counter[str]] = defaultdict(Counter)
        for fact in self.winners.values():
            sums[fact.key(name)].update(fact.measures)
        return {key: {measure: found[measure] for measure in MEASURES} for key, found in sums.items()}

    def total(self) -> Sums:
        found: Counter[str] = Counter()
        for fact in self.winners.values():
            found.update(fact.measures)
        return {measure: found[measure] for measure in MEASURES}


class Oracle:
    """Knows what each message of the traffic is worth."""

    def __init__(self, traffic: Traffic, service_values: Mapping[bytes, dict[str, Any]]) -> None:
        self._poison = traffic.poison
        self._events = {**traffic.events, **service_values}
        self._book = PriceBook.load(None)
        self._rules = AttributionRules.load(None)
        self._facts: dict[bytes, Fact] = {}

    def missing(self, log: Log) -> list[bytes]:
        """Values that were sent and are not in the log."""
        there = {value or b"" for values in log.values() for value in values}
        return [value for value in (*self._events, *self._poison) if value not in there]

    def expect(self, log: Log) -> Expected:
        """Of the copies of an event the highest revision counts, and of those the first in its partition."""
        partitions: dict[str, set[int]] = defaultdict(set)
        expected = Expected(ends={partition: len(values) for partition, values in log.items()})
        for partition, values in log.items():
            for offset, value in enumerate(values):
                at = (partition, offset)
                reason = self._poison.get(value or b"")
                if reason is not None:
                    expected.refused[at] = reason
                    continue
                fact = self._fact(value or b"")
                expected.events_at.add(at)
                partitions[fact.event_id].add(partition)
                known = expected.winners.get(fact.event_id)
                if known is None or fact.revision > known.revision:
                    expected.winners[fact.event_id] = fact
                    expected.winner_at[fact.event_id] = at
        # Between partitions there is no order: equal copies may meet, and any of them may be the one that is booked.
        strays = [event_id for event_id, found in partitions.items() if len(found) > 1]
        for event_id in strays:
            del expected.winner_at[event_id]
        expected.strays = set(strays)
        return expected

    def _fact(self, value: bytes) -> Fact:
        if value not in self._facts:
            self._facts[value] = self._judge(value, self._events[value])
        return self._facts[value]

    def _judge(self, value: bytes, event: dict[str, Any]) -> Fact:
        parsed = parse_usage_event(value)
        priced = self._book.price(facts_of(parsed.message), parsed.unknown_fields)
        tags = event.get("attribution", {})
        usage = event["usage"]
        costs = {name: getattr(priced, name) or 0 for name in MONEY}
        unallocated = not all(tags.get(name) for name in MANDATORY)
        measures = costs | {
            "events": 1,
            "unpriced_events": int(priced.reason is not None),
            "unallocated_events": int(unallocated),
            "unallocated_cost": costs["effective_cost"] if unallocated else 0,
            "cached_responses": int(event.get("cached_response", False)),
            "errors": int(event.get("status") == "error"),
            "gpu_seconds": int(Decimal(usage.get("gpu_seconds", 0)) * PICO),
            "tool_calls": sum(event.get("tool_calls", {}).values()),
        }
        for meter in ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"):
            measures[meter] = usage.get(meter, 0)
        dimensions = dict.fromkeys((*_BY_HOUR, *_BY_OPERATION, "user_id"), "")
        dimensions |= {name: tags[name] for name in tags if name in dimensions}
        dimensions |= {name: event[name] for name in dimensions if name in event}
        dimensions["price_model"] = priced.price_model
        attributed = self._rules.apply(facts_of(parsed.message))
        dimensions |= {"category": attributed.category, "subcategory": attributed.subcategory}
        dimensions |= {name: usage.get(name) or "" for name in ("accelerator", "purchase_option")}
        return Fact(event["event_id"], event.get("revision", 0), parsed.message.occurred_at, dimensions, measures)

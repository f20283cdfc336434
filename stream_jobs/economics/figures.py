"""The registry of figures: what is not in here does not exist. Commands, pages and exports read it.

A figure is a plain function of exact sums (`parts.py` says what a request is), with a check that was worked by hand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from stream_jobs.economics.parts import PARTS

Sums = Mapping[str, Fraction]
Formula = Callable[[Sums], Fraction | None]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a figure needs to know: of this much cost (`known`) it is known, of that much (`whole`) it should be."""

    name: str
    known: str
    whole: str


USERS: Final = Fact("user", "cost_of_users", "effective_cost")
BUSY: Final = Fact("busy seconds", "measured_gpu_cost", "gpu_cost")


@dataclass(frozen=True, slots=True)
class Figure:
    """`unit`: USD, USD per ..., a count of something, or share (of 1). `check`: sums, and what it then is."""

    name: str
    unit: str
    meaning: str
    parts: tuple[str, ...]
    formula: Formula
    check: tuple[Mapping[str, str], str | None]
    fact: Fact | None = None
    additive: bool = True

    @property
    def needs(self) -> tuple[str, ...]:
        """All sums that it is made of, with those of its coverage."""
        return self.parts if self.fact is None else (*self.parts, self.fact.known, self.fact.whole)

    @property
    def is_money(self) -> bool:
        return self.unit.startswith("USD")

    @property
    def is_count(self) -> bool:
        """Whether its values are whole numbers."""
        return len(self.parts) == 1 and PARTS[self.parts[0]].kind == "count"

    def value(self, sums: Sums) -> Fraction | None:
        """NULL where it cannot be told: a denominator of 0, or a fact that is known for nothing."""
        if self.fact is not None and self.share_known(sums) == 0:
            return None
        return self.formula(sums)

    def share_known(self, sums: Sums) -> Fraction | None:
        """The share of cost for which its fact is known; None where it needs none, or there is no cost."""
        return None if self.fact is None else _ratio(self.fact.known, self.fact.whole)(sums)


def _ratio(part: str, *whole: str, less: str = "", times: int = 1) -> Formula:
    """part * times / (the sum of `whole`, less another)."""

    def value(sums: Sums) -> Fraction | None:
        over = sum((sums[name] for name in whole), Fraction(0)) - (sums[less] if less else 0)
        return None if over == 0 else sums[part] * times / over

    return value


def _sum(name: str, unit: str, meaning: str) -> Figure:
    return Figure(
        name, unit, meaning, (name,), lambda sums: sums[name], ({name: "3"}, "3"), additive=PARTS[name].adds_up
    )


def _quotient(
    name: str, unit: str, meaning: str, part: str, whole: str, check: tuple[str, str, str], *, times: int = 1,
    fact: Fact | None = None,
) -> Figure:  # fmt: skip
    worked = {part: check[0], whole: check[1]}
    if fact is not None:
        worked |= {fact.known: "1", fact.whole: "1"} | worked
    return Figure(
        name, unit, meaning, (part, whole), _ratio(part, whole, times=times), (worked, check[2]), fact, additive=False
    )


def _spread(name: str, unit: str, meaning: str, calls: str) -> Figure:
    """Of calls that no own cache answered, as they were booked. NULL where there were none."""
    return Figure(
        name, unit, meaning, (name, calls), lambda sums: sums[name] if sums[calls] > 0 else None,
        ({name: "120", calls: "3"}, "120"), additive=False,
    )  # fmt: skip


FIGURES: Final[Mapping[str, Figure]] = {
    figure.name: figure
    for figure in (
        _sum("effective_cost", "USD", "what it really costs, of everything that has a price"),
        _sum("contracted_cost", "USD", "the same at negotiated prices, before commitments are spread"),
        _sum("list_cost", "USD", "the same at public prices"),
        _sum("avoided_cost", "USD", "what the services' own caches saved"),
        _sum("unallocated_cost", "USD", "effective cost of events that miss a mandatory tag"),
        _sum("request_cost", "USD", "effective cost of requests: token events that are no embedding or rerank"),
        _sum("ok_cost", "USD", "effective cost of events with the status ok"),
        _sum("error_cost", "USD", "effective cost of events with the status error"),
        _sum("cancelled_cost", "USD", "effective cost of events with the status cancelled"),
        _sum("retry_cost", "USD", "effective cost of events that repeat another one"),
        _sum("cache_saving", "USD", "what reads from prompt caches would have cost as input, less what they cost"),
        _sum("cache_premium", "USD", "what writes to prompt caches cost, less what they would have cost as input"),
        _sum("idle_cost", "USD", "effective cost of GPUs that were not busy, where that is known"),
        _sum("on_demand_cost", "USD", "what the same hours of compute would have cost on demand, by our terms"),
        _sum("held_cost", "USD", "what events without a price are held at, where their model is known; no cost yet"),
        _sum("compared_cost", "USD", "contracted cost of events with a price of ours whose provider states a cost"),
        _sum("stated_cost", "USD", "what their providers state that these cost"),
        _sum("entries", "entries", "rows of the ledger: charges, adjustments and retractions"),
        _sum("events", "events", "charges less retractions"),
        _sum("unpriced_events", "events", "events that no cost covers, because their price is unknown"),
        _sum("flat_held_events", "events", "those whose model nobody knows: each budget holds them at a flat bound"),
        _sum("compared_events", "events", "events with a price of ours whose provider states a cost, too"),
        _sum("unallocated_events", "events", "events that miss a mandatory tag"),
        _sum("ok", "events", "events with the status ok"),
        _sum("errors", "events", "events with the status error"),
        _sum("cancelled", "events", "events with the status cancelled"),
        _sum("cached_responses", "events", "answers from the services' own caches"),
        _sum("retries", "events", "events that repeat another one, whatever became of them"),
        _sum("requests", "requests", "token events that are no embedding or rerank, answers from own caches too"),
        _sum("ok_requests", "requests", "requests with the status ok"),
        _sum("cached_requests", "requests", "requests that were answered from the services' own caches"),
        _sum("users", "users", "distinct users that are named by events that count"),
        _sum("input_tokens", "tokens", "tokens of input, with what was read from and written to caches"),
        _sum("billed_input_tokens", "tokens", "tokens of input without those of answers from own caches"),
        _sum("billed_output_tokens", "tokens", "tokens of output without those of answers from own caches"),
        _sum("cache_read_tokens", "tokens", "tokens of input that were read from the provider's prompt cache"),
        _sum("cache_write_tokens", "tokens", "tokens of input that were written to it, of every lifetime"),
        _sum("output_tokens", "tokens", "tokens of output, with reasoning"),
        _sum("reasoning_tokens", "tokens", "tokens of output that were reasoning"),
        _sum("cpu_seconds", "seconds", "CPU seconds that were provisioned"),
        _sum("busy_cpu_seconds", "seconds", "CPU seconds that were busy, where that is known"),
        _sum("gpu_seconds", "seconds", "GPU seconds that were provisioned"),
        _sum("measured_gpu_seconds", "seconds", "GPU seconds that were provisioned, where it is known what was busy"),
        _sum("busy_gpu_seconds", "seconds", "GPU seconds that were busy, where that is known"),
        _sum("tool_calls", "calls", "calls of the providers' own tools"),
        _quotient(
            "cost_per_request", "USD per request", "cost of requests / requests", "request_cost", "requests",
            ("0.8", "100", "0.008"),
        ),
        Figure(
            "cost_per_provider_call", "USD per call", "cost of requests / requests that no own cache answered",
            ("request_cost", "requests", "cached_requests"),
            _ratio("request_cost", "requests", less="cached_requests"),
            ({"request_cost": "0.8", "requests": "100", "cached_requests": "20"}, "0.01"), additive=False,
        ),
        _quotient(
            "cost_per_ok_request", "USD per request", "cost of all requests, failed ones too / ok requests",
            "request_cost", "ok_requests", ("0.85", "80", "0.010625"),
        ),
        _quotient(
            "cost_per_million_tokens", "USD per million tokens",
            "cost of priced provider calls / their input and output tokens", "call_cost", "priced_call_tokens",
            ("0.8", "200000", "4"), times=1_000_000,
        ),
        _quotient(
            "cost_per_user", "USD per user", "cost of events that name a user / distinct users", "cost_of_users",
            "users", ("10", "4", "2.5"), fact=USERS,
        ),
        _quotient(
            "unallocated_share", "share", "cost that misses a mandatory tag / effective cost", "unallocated_cost",
            "effective_cost", ("1", "4", "0.25"),
        ),
        _quotient(
            "error_rate", "share", "events with the status error / events", "errors", "events", ("10", "100", "0.1"),
        ),
        Figure(
            "api_efficiency", "share", "ok / (ok + errors + cancelled)", ("ok", "errors", "cancelled"),
            _ratio("ok", "ok", "errors", "cancelled"),
            ({"ok": "80", "errors": "10", "cancelled": "10"}, "0.8"), additive=False,
        ),
        _quotient(
            "cache_hit_rate", "share", "answers from own caches / requests", "cached_requests", "requests",
            ("20", "100", "0.2"),
        ),
        _quotient(
            "response_hit_rate", "share", "answers from own caches / events of every kind", "cached_responses",
            "events", ("20", "200", "0.1"),
        ),
        _quotient(
            "prompt_cache_rate", "share", "tokens read from the prompt cache / input tokens of provider calls",
            "call_cache_read_tokens", "call_input_tokens", ("30", "120", "0.25"),
        ),
        _quotient(
            "token_hit_rate", "share", "tokens read from the prompt cache / input tokens of all events",
            "cache_read_tokens", "input_tokens", ("30", "150", "0.2"),
        ),
        _quotient(
            "gpu_utilization", "share", "busy / provisioned GPU seconds, where busy is known", "busy_gpu_seconds",
            "measured_gpu_seconds", ("70", "192", "0.364583333333"), fact=BUSY,
        ),
        *(
            _spread(f"p{percent}_latency_ms", "ms", f"{percent} % of calls took no longer, within 1 %", "timed_calls")
            for percent in (50, 95, 99)
        ),
        *(
            _spread(f"p{percent}_cost", "USD", f"{percent} % of calls cost no more, within 1 %", "costed_calls")
            for percent in (50, 95)
        ),
    )
}  # fmt: skip
"""By name, in the order in which they are listed."""

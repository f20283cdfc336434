"""How long pricing one event takes: ours, genai-prices and (if installed) tokencost, in the same run.

`python -m tests.benchmarks.bench_price [--json] [--seconds S]`
"""

import argparse
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from genai_prices import Usage, calc_price

from spendstream_schemas import TokenUsage, UsageEvent, parse_usage_event
from stream_jobs.pricing.book import PriceBook

FLOOR = 20  # times as fast as genai-prices
GOAL = 100
_MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.4"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large-2512"),
)


def events(count: int = 500) -> list[UsageEvent]:
    """Chat events of five models, parsed from JSON one by one, so that no two share a string."""
    found = []
    for n in range(count):
        provider, model = _MODELS[n % len(_MODELS)]
        usage: dict[str, Any] = {"kind": "tokens", "input_tokens": 1000 + n, "output_tokens": 100 + n % 50}
        if n % 2:
            usage["cache_read_tokens"] = n
        raw = {
            "schema_version": 1, "event_id": f"e{n}", "source": "bench", "provider": provider, "model": model,
            "occurred_at": f"2026-11-{1 + n % 20:02}T12:00:00Z", "usage": usage,
        }  # fmt: skip
        found.append(parse_usage_event(json.dumps(raw).encode()).message)
    return found


def measure(step: Callable[[UsageEvent], object], batch: list[UsageEvent], seconds: float) -> float:
    """Microseconds per event: the best of the passes that fit into the time, after one that warms caches."""
    for event in batch:
        step(event)
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for event in batch:
            step(event)
        best = min(best, (time.perf_counter() - start) / len(batch))
    return best * 1e6


def _genai(event: UsageEvent) -> Decimal:
    usage = event.usage
    assert isinstance(usage, TokenUsage)
    amounts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    if usage.cache_read_tokens is not None:
        amounts["cache_read_tokens"] = usage.cache_read_tokens
    return calc_price(
        Usage(**amounts), event.model or "", provider_id=event.provider, genai_request_timestamp=event.occurred_at
    ).total_price


def _tokencost() -> Callable[[UsageEvent], object] | None:
    if importlib.util.find_spec("tokencost") is None:
        return None
    calculate_cost_by_tokens = importlib.import_module("tokencost").calculate_cost_by_tokens

    def step(event: UsageEvent) -> object:
        usage = event.usage
        assert isinstance(usage, TokenUsage)
        try:
            return (
                calculate_cost_by_tokens(usage.input_tokens, event.model, "input"),
                calculate_cost_by_tokens(usage.output_tokens, event.model, "output"),
            )
        except KeyError:
            return None

    return step


def main(arguments: list[str] | None = None) -> int:
    """Print the comparison; exit code 1 if the floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=3.0, help="per candidate")
    args = parser.parse_args(arguments)
    started = time.perf_counter()
    book = PriceBook.load()
    load_s = time.perf_counter() - started
    batch = events()
    for event in batch:
        ours = book.price(event).list_cost
        assert ours is not None
        assert _genai(event).scaleb(12) == ours, event
    found = {
        "spendstream": measure(book.price, batch, args.seconds),
        "genai-prices": measure(_genai, batch, args.seconds),
    }
    if (step := _tokencost()) is not None:
        found["tokencost"] = measure(step, batch, args.seconds)
    ratio = found["genai-prices"] / found["spendstream"]
    result = {
        "us_per_event": {name: round(value, 3) for name, value in found.items()},
        "times_genai_prices": round(ratio, 1), "floor": FLOOR, "goal": GOAL, "load_s": round(load_s, 3),
    }  # fmt: skip
    if args.json:
        print(json.dumps(result))
    else:
        for name, value in found.items():
            print(f"{name:14} {value:8.2f} µs per event")
        print(f"ratio {ratio:.1f}x genai-prices (floor {FLOOR}x, goal {GOAL}x); price book loaded in {load_s:.2f} s")
    return 0 if ratio >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())

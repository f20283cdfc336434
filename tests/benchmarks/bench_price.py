"""How long pricing one event takes: ours, genai-prices' own calculator and tokencost, in turns in the same run.

What they compute is compared, too: ours and genai-prices must agree on every event. tokencost knows fewer models and
does not know that a price changed; what it says is reported, not judged. It runs offline, in the peers' environment.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from genai_prices import Usage, calc_price

from spendstream_schemas import TokenUsage, UsageEvent, parse_usage_event
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from tests.benchmarks.harness.machine import ROOT
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.peers.venv import peers_python, version_of

FLOOR, GOAL = 20, 100  # times as fast as genai-prices
MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.4"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large-2512"),
    ("anthropic", "claude-3-haiku-20240307"),
)

E = TypeVar("E")


def events(count: int = 600) -> list[UsageEvent]:
    """Chat events of several models, parsed from JSON one by one, so that no two share a string."""
    found = []
    for n in range(count):
        provider, model = MODELS[n % len(MODELS)]
        usage: dict[str, Any] = {"kind": "tokens", "input_tokens": 1000 + n, "output_tokens": 100 + n % 50}
        if n // len(MODELS) % 2:
            usage["cache_read_tokens"] = n
        raw = {
            "schema_version": 1, "event_id": f"e{n}", "source": "bench", "provider": provider, "model": model,
            "occurred_at": f"2026-11-{1 + n % 20:02}T12:00:00Z", "usage": usage,
        }  # fmt: skip
        found.append(parse_usage_event(json.dumps(raw).encode()).message)
    return found


def measure(step: Callable[[E], object], batch: list[E], seconds: float) -> float:
    """Microseconds per event: the best of the passes that fit into the time, after one that warms caches."""
    for event in batch:
        step(event)
    best = float("inf")
    end = time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        for event in batch:
            step(event)
        best = min(best, (time.perf_counter() - start) / len(batch))
    return best * 1e6


def genai(event: UsageEvent) -> Decimal:
    """USD by genai-prices' own calculator."""
    usage = event.usage
    assert isinstance(usage, TokenUsage)
    amounts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    if usage.cache_read_tokens is not None:
        amounts["cache_read_tokens"] = usage.cache_read_tokens
    return calc_price(
        Usage(**amounts), event.model or "", provider_id=event.provider, genai_request_timestamp=event.occurred_at
    ).total_price


def _pico(usd: Decimal) -> int:
    """pico-USD. Raises ValueError for less than one: then they would not be comparable."""
    if (pico := usd.scaleb(12)) != int(pico):
        raise ValueError(f"{usd} USD is no whole number of pico-USD")
    return int(pico)


class TokenCost:
    """tokencost in a process of its own."""

    def __init__(self, python: Path, batch: list[UsageEvent]) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "tests.benchmarks.peers.tokencost_prices"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        rows = []
        for event in batch:
            usage = event.usage
            assert isinstance(usage, TokenUsage)
            cached = usage.cache_read_tokens or 0
            rows.append((event.model, (usage.input_tokens or 0) - cached, cached, usage.output_tokens))
        self.costs = [None if cost is None else Decimal(cost) for cost in self._ask(json.dumps(rows))]

    def measure(self, seconds: float) -> float:
        """As `measure`, of the events it has a price for."""
        return float(self._ask(str(seconds)))

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


def compare(batch: list[UsageEvent], theirs: list[Decimal | None], book: PriceBook) -> dict[str, str]:
    """What tokencost says per model: equal to ours, unknown, or an example of the difference."""
    found: dict[str, str] = {}
    for event, cost in zip(batch, theirs, strict=True):
        model = event.model or ""
        own = Decimal(book.price(facts_of(event)).list_cost or 0).scaleb(-12)
        if cost is None:
            found[model] = "unknown to it"
        elif cost != own:
            found[model] = f"differs, such as {cost.normalize():f} USD for our {own.normalize():f}"
        else:
            found.setdefault(model, "equal")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if the floor is missed."""
    args = parse(parser(__doc__, seconds=1, rounds=5), arguments, quick_seconds=0.1)
    report = Report("price")
    started = time.perf_counter()
    book = PriceBook.load()
    report.details["book_loaded_s"] = round(time.perf_counter() - started, 3)
    batch = events()
    facts = list(map(facts_of, batch))
    own = sum(book.price(one).list_cost or 0 for one in facts)
    report.check(
        "list cost of all events in pico-USD, genai-prices and ours",
        _pico(sum(map(genai, batch), Decimal(0))),
        own,
    )
    for event in batch:
        assert _pico(genai(event)) == book.price(facts_of(event)).list_cost, event
    python, why = peers_python(install=not args.quick)
    tokencost = TokenCost(python, batch) if python is not None else None
    candidates: dict[str, Callable[[], float]] = {
        "spendstream": lambda: measure(book.price, facts, args.seconds),
        "genai-prices": lambda: measure(genai, batch, args.seconds),
    }
    if python is not None and tokencost is not None:
        candidates["tokencost"] = lambda: tokencost.measure(args.seconds)
        said = compare(batch, tokencost.costs, book)
        report.details["tokencost"] = {"version": version_of(python, "tokencost"), "prices": said}
        print(f"tokencost {version_of(python, 'tokencost')}: " + "; ".join(f"{m}: {text}" for m, text in said.items()))
    else:
        report.details["tokencost"] = why
        print(f"tokencost: {why}")
    times: dict[str, list[float]] = {name: [] for name in candidates}
    try:
        for _ in range(args.rounds):
            for name, step in candidates.items():
                times[name].append(step())
    finally:
        if tokencost is not None:
            tokencost.close()
    ours = times["spendstream"]
    for name, found in times.items():
        report.figures.append(Figure(f"price one event: {name}", "us", found, lower_is_better=True))
    for name in list(times)[1:]:
        ratios = [theirs / mine for theirs, mine in zip(times[name], ours, strict=True)]
        bounds: Bounds = (FLOOR, GOAL) if name == "genai-prices" and not args.quick else NOT_JUDGED
        report.figures.append(Figure(f"price one event: as fast as {name}", "x", ratios, *bounds))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

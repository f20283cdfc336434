"""How long `emit` takes in the service's thread: p50, p99 and p99.9 in microseconds, broker up and broker away.

Run: .venv/bin/python tests/benchmarks/bench_emit.py
"""

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import Attribution, TokenUsage, UsageEvent, new_event_id
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.ports import free_port

FLOOR_US = 20.0
EVENTS = 20_000
RATE = 5_000  # events per second


def _event() -> UsageEvent:
    return UsageEvent(
        schema_version=1,
        event_id=new_event_id(),
        occurred_at=datetime.now(UTC),
        source="bench",
        provider="openai",
        model="gpt-4o",
        usage=TokenUsage(kind="tokens", input_tokens=1200, cache_read_tokens=800, output_tokens=250),
        attribution=Attribution(project="assistant", environment="prod", team="search", feature="answers"),
    )


def measure(producer: UsageProducer, events: list[UsageEvent]) -> list[float]:
    """Sorted times of `emit` in microseconds, paced at RATE."""
    times = []
    next_at = time.perf_counter()
    for event in events:
        next_at += 1 / RATE
        while time.perf_counter() < next_at:
            time.sleep(0)
        began = time.perf_counter_ns()
        accepted = producer.emit(event)
        times.append((time.perf_counter_ns() - began) / 1000)
        if not accepted:
            raise SystemExit(f"an event was refused: {dict(producer.stats().rejected)}")
    return sorted(times)


def main() -> int:
    """Prints one line per situation; 1 when a p50 misses the floor."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        broker = TansuBroker(free_port(), Path(folder) / "broker")
        broker.start()
        try:
            for name, durable in (("broker up", False), ("broker up, durable", True), ("broker away", False)):
                config = ProducerConfig(
                    bootstrap_servers=broker.address,
                    source="bench",
                    spool_dir=Path(folder) / name.replace(" ", "-"),
                    durable=durable,
                )
                if name == "broker away":
                    broker.stop()
                with UsageProducer(config) as producer:
                    times = measure(producer, [_event() for _ in range(EVENTS)])
                p50, p99, p999 = (times[int(len(times) * q)] for q in (0.5, 0.99, 0.999))
                print(f"{name:20} p50 {p50:7.2f} us   p99 {p99:7.2f} us   p99.9 {p999:7.2f} us   ({EVENTS} events)")
                worst = max(worst, p50 if not durable else 0.0)
        finally:
            broker.stop()
    return int(worst > FLOOR_US)


if __name__ == "__main__":
    sys.exit(main())

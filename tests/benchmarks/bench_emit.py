"""How long `emit` takes in the service's thread: p50, p99 and p99.9 in microseconds, broker up and broker away."""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import Attribution, TokenUsage, UsageEvent, new_event_id
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import ensure_topics
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.topics import topic_specs
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report

FLOOR_US, GOAL_US = 20.0, 5.0
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


def main(arguments: list[str] | None = None) -> int:
    """1 when a p50 misses the floor; durable emits, which wait for the disk, have none."""
    args = parse(parser(__doc__, seconds=2, rounds=3), arguments, quick_seconds=0.2)
    count = int(args.seconds * RATE)
    report = Report("emit")
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(args.rounds):
        for name, times in rounds(count):
            for label, q in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
                found.setdefault((name, label), []).append(times[int(len(times) * q)])
    for (name, label), values in found.items():
        judged = label == "p50" and "durable" not in name and not args.quick
        bounds: Bounds = (FLOOR_US, GOAL_US) if judged else NOT_JUDGED
        report.figures.append(Figure(f"emit, {name}: {label}", "us", values, *bounds, lower_is_better=True))
    report.details = {"events_per_round": count, "events_per_s": RATE}
    return report.finish()


def rounds(count: int) -> Iterator[tuple[str, list[float]]]:
    """The sorted times of each situation, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        broker = TansuBroker(free_port(), Path(folder) / "broker")
        broker.start()
        ensure_topics(embedded_kafka(broker.address), topic_specs(embedded=True))
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
                    yield name, measure(producer, [_event() for _ in range(count)])
        finally:
            broker.stop()


if __name__ == "__main__":
    sys.exit(main())

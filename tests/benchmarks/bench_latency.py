"""From the SDK call to a row that a query sees: one event at a time through an embedded pipeline.

Run: .venv/bin/python -m tests.benchmarks.bench_latency [--events N]
"""

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import Attribution, TokenUsage, UsageEvent, new_event_id
from stream_jobs.embedded.instance import embedded_clickhouse
from stream_jobs.embedded.supervisor import Embedded, Ports
from stream_jobs.store.client import StoreClient

FLOOR_S = 2.0  # p99
WARM_UP = 5
GIVE_UP_S = 30.0
POLL_S = 0.005


def _event(project: str) -> UsageEvent:
    return UsageEvent(
        schema_version=1,
        event_id=new_event_id(),
        occurred_at=datetime.now(UTC),
        source="bench",
        provider="openai",
        model="gpt-4o",
        usage=TokenUsage(kind="tokens", input_tokens=1200, output_tokens=250),
        attribution=Attribution(project=project),
    )


def measure(producer: UsageProducer, store: StoreClient, count: int) -> list[float]:
    """Sorted seconds until each event is in the rollup per minute, which is fed by the ledger."""
    times = []
    for number in range(WARM_UP + count):
        project = f"p{number}"
        began = time.perf_counter()
        if not producer.emit(_event(project)):
            raise SystemExit(f"an event was refused: {dict(producer.stats().rejected)}")
        while not store.rows("SELECT 1 FROM cost_1m WHERE project = {project:String}", {"project": project}):
            if time.perf_counter() - began > GIVE_UP_S:
                raise SystemExit(f"an event was not booked within {GIVE_UP_S:g} s")
            time.sleep(POLL_S)
        times.append(time.perf_counter() - began)
    return sorted(times[WARM_UP:])


def main(arguments: list[str] | None = None) -> int:
    """Prints the quantiles; 1 when p99 misses the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        embedded = Embedded(Path(folder) / "data", Ports(0, 0, 0))
        instance = embedded.start(lambda _: None)
        try:
            config = ProducerConfig(bootstrap_servers=instance.kafka, source="bench", spool_dir=Path(folder) / "spool")
            with (
                StoreClient(embedded_clickhouse(instance, writable=False)) as store,
                UsageProducer(config) as producer,
            ):
                times = measure(producer, store, args.events)
        finally:
            embedded.stop()
    p50, p90, p99 = (times[int(len(times) * q)] for q in (0.5, 0.9, 0.99))
    print(f"emit to visible in cost_1m: p50 {p50:.3f} s   p90 {p90:.3f} s   p99 {p99:.3f} s   ({len(times)} events)")
    return int(p99 > FLOOR_S)


if __name__ == "__main__":
    sys.exit(main())

"""A storm: 100,000 users cross their budgets within a minute, through an embedded pipeline.

One event per user, at up to 2,000 a second. Counted is what a receiver with default limits hears: every crossing must
be an alert, every alert must have been told of exactly once, in no more notifications than the limits say. Measured is
how long after the last event everything was told.
"""

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spendstream import ProducerConfig, UsageProducer
from stream_jobs.embedded.instance import embedded_clickhouse
from stream_jobs.embedded.supervisor import Embedded, Ports
from stream_jobs.store.client import StoreClient
from tests.benchmarks.bench_alert import probe_event
from tests.benchmarks.bench_latency import NothingVisibleError
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import Figure, Report
from tests.benchmarks.harness.usage import Sampler
from tests.receivers.cloudevents import SECRET, CloudEventsEndpoint

CROSSINGS = 100_000
RATE = 2_000  # events per second
MAX_PER_MINUTE = 20  # the default of a receiver
GIVE_UP_S = 240.0
FLOOR_S = 120.0  # after the last event
_OURS = "state = 'sent' AND startsWith(alert_group, 'budget/')"


def configure(folder: Path, webhook: CloudEventsEndpoint) -> None:
    """Each user may spend next to nothing; one receiver."""
    folder.mkdir(parents=True)
    budget = {
        "id": "each-user",
        "name": "Each user",
        "per": ["user_id"],
        "amount": "0.000001",
        "period": "day",
        "thresholds": {"actual": [100], "forecast": []},
    }
    (folder / "budgets.yaml").write_text(json.dumps({"budgets": [budget]}))
    (folder / "secret").write_text(SECRET)
    receiver = {"name": "hook", "type": "webhook", "url": webhook.endpoint_url, "secret_file": str(folder / "secret")}
    (folder / "alerts.yaml").write_text(json.dumps({"receivers": [receiver], "default": ["hook"]}))


def send(producer: UsageProducer, users: int) -> float:
    """One event for each; returns when the last one was emitted."""
    event = probe_event()
    began = time.perf_counter()
    for number in range(users):
        due = began + number / RATE
        if (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        attribution = event.attribution.model_copy(update={"user_id": f"user-{number}"})
        changed = {"event_id": f"storm-{number}", "occurred_at": datetime.now(UTC), "attribution": attribution}
        producer.emit(event.model_copy(update=changed))
    return time.perf_counter()


def counts(store: StoreClient) -> dict[str, int]:
    """What is recorded by now."""
    asked = {
        "crossings": "SELECT count() FROM budget_crossings WHERE direction = 'up'",
        "alerts": "SELECT uniqExact(alert_id) FROM alert_events WHERE change = 'opened' AND kind = 'budget'",
        "told": f"SELECT sum(first_told) FROM alert_deliveries WHERE {_OURS}",
        "notifications": f"SELECT count() FROM alert_deliveries WHERE {_OURS}",
    }
    return {name: int(str(store.rows(sql)[0][0])) for name, sql in asked.items()}


def most_in_a_minute(times: list[float]) -> int:
    """The most notifications that came within any 60 seconds."""
    return max((sum(1 for other in times if at <= other < at + 60) for at in times), default=0)


class Webhook(CloudEventsEndpoint):
    """Notes when notifications came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    async def handle(self, request: Any, body: bytes) -> Any:
        self.times.append(time.perf_counter())
        return await super().handle(request, body)


def main(arguments: list[str] | None = None) -> int:
    """1 when something was lost, the limits were broken, or it took longer than the floor."""
    made = parser(__doc__, seconds=60, rounds=1)
    made.add_argument("--crossings", type=int, default=CROSSINGS)
    args = parse(made, arguments, quick_seconds=2)
    if args.quick:
        args.crossings = min(500, args.crossings)
    report = Report("storm")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Webhook() as webhook:
        configure(Path(folder) / "config", webhook)
        embedded = Embedded(Path(folder) / "data", Ports(0, 0, 0), Path(folder) / "config")
        instance = embedded.start(lambda _: None)
        try:
            config = ProducerConfig(bootstrap_servers=instance.kafka, source="bench", spool_dir=Path(folder) / "spool")
            with StoreClient(embedded_clickhouse(instance, writable=False)) as store:
                sampler = Sampler({}).start()
                with UsageProducer(config) as producer:
                    ended = send(producer, args.crossings)
                found = counts(store)
                while found["told"] < args.crossings and time.perf_counter() < ended + GIVE_UP_S:
                    embedded.watch()
                    time.sleep(0.5)
                    found = counts(store)
                took = time.perf_counter() - ended
                usage = sampler.stop()
                found = counts(store)
        except BaseException:
            for log in sorted((Path(folder) / "data" / "logs").glob("*.log")):
                print(f"-- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
            raise
        finally:
            embedded.stop()
    most = most_in_a_minute(webhook.times)
    print(f"{found}, at most {most} notifications in a minute", flush=True)
    report.details["found"] = found | {"most_in_a_minute": most, "cores": round(usage["others"].cores, 3)}
    for name in ("crossings", "alerts", "told"):
        report.check(name, args.crossings, found[name])
    if most > MAX_PER_MINUTE:
        raise NothingVisibleError(f"{most} notifications in a minute, the limit is {MAX_PER_MINUTE}")
    floor = None if args.quick else FLOOR_S
    title = f"{args.crossings:,} crossings: from the last event until all are told"
    report.figures.append(Figure(title, "s", [took], floor, None, lower_is_better=True))
    report.figures.append(Figure("notifications for it", "", [float(found["notifications"])], lower_is_better=True))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

"""From the SDK call that crosses a budget to the alert at a local webhook, and to the refusal in another service.

2,000 events per second through an embedded pipeline. Every half second one event is of a project that has a budget of
its own, which it crosses. The webhook takes signed CloudEvents; the guard is asked every millisecond. So that each
probe is told by itself, the limits of alerts.yaml are raised; the wait of a new group is the default.
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from spendstream import Attribution, Guard, GuardConfig, ProducerConfig, UsageProducer
from spendstream_schemas import UsageEvent
from stream_jobs.embedded.supervisor import Embedded, Ports
from tests.benchmarks.bench_latency import GIVE_UP_S, IDLE_RATE, PROBE, RATE, Emitter, NothingVisibleError, quantile
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.harness.usage import Sampler
from tests.receivers.cloudevents import SECRET, CloudEventsEndpoint

FLOOR_S, GOAL_S = 3.0, 1.5  # p99 from the SDK call to the webhook
PROBES_PER_S = 2
WARM_UP_S = 5.0
ASK_EVERY_S = 0.001


class Webhook(CloudEventsEndpoint):
    """Notes when the alert of each probe came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: dict[str, float] = {}

    async def handle(self, request: Any, body: bytes) -> Any:
        now = time.perf_counter()
        for alert in json.loads(body)["data"]["alerts"]:
            project = alert["labels"].get("project", "")
            if alert["kind"] == "budget" and project.startswith(PROBE):
                self.came.setdefault(project, now)
        return await super().handle(request, body)


class Asker:
    """A service that asks its guard about every probe until it refuses."""

    def __init__(self, guard: Guard, sent: dict[str, float]) -> None:
        self._guard = guard
        self._sent = sent
        self.refused: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asker")
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(ASK_EVERY_S):
            for project in list(self._sent):
                if project not in self.refused and not self._guard.decide(Attribution(project=project)).allowed:
                    self.refused[project] = time.perf_counter()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def configure(folder: Path, webhook: Webhook, probes: int) -> None:
    """A budget per probe, and one receiver."""
    folder.mkdir(parents=True)
    budgets = [
        {
            "id": f"{PROBE}{number}",
            "name": f"Probe {number}",
            "scope": {"project": f"{PROBE}{number}"},
            "amount": "0.000001",
            "period": "day",
            "thresholds": {"actual": [100], "forecast": []},
            "policy": {"steps": [{"at_percent": 100, "action": "refuse"}]},
        }
        for number in range(probes)
    ]
    (folder / "budgets.yaml").write_text(json.dumps({"budgets": budgets}))
    (folder / "secret").write_text(SECRET)
    alerts = {
        "receivers": [
            {
                "name": "hook",
                "type": "webhook",
                "url": webhook.endpoint_url,
                "secret_file": str(folder / "secret"),
                "max_per_minute": 600,
            }
        ],
        "default": ["hook"],
        "grouping": {"max_new_groups_per_minute": 1000},
    }
    (folder / "alerts.yaml").write_text(json.dumps(alerts))


def probe_event() -> UsageEvent:
    return UsageEvent.model_validate(
        {
            "schema_version": 1,
            "event_id": "probe",
            "occurred_at": "2026-01-01T00:00:00Z",
            "source": "bench",
            "provider": "openai",
            "model": "gpt-4o",
            "usage": {"kind": "tokens", "input_tokens": 1000, "output_tokens": 100},
        }
    )


def run(report: Report, rate: int, seconds: float, warm_up_s: float) -> tuple[list[float], list[float]]:
    """Sorted seconds to the webhook and to the refusal."""
    probes = int((warm_up_s + seconds) * PROBES_PER_S) + 1
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Webhook() as webhook:
        config_dir = Path(folder) / "config"
        configure(config_dir, webhook, probes)
        embedded = Embedded(Path(folder) / "data", Ports(0, 0, 0), config_dir)
        instance = embedded.start(lambda _: None)
        try:
            config = ProducerConfig(bootstrap_servers=instance.kafka, source="bench", spool_dir=Path(folder) / "spool")
            with (
                Guard(GuardConfig(bootstrap_servers=instance.kafka, source="bench")) as guard,
                UsageProducer(config) as producer,
            ):
                guard.wait_ready(GIVE_UP_S)
                emitter = Emitter(producer, rate, warm_up_s + seconds, probes_per_s=PROBES_PER_S, made_of=probe_event())
                sampler = Sampler({}).start()
                began = time.perf_counter()
                emitter.start()
                asker = Asker(guard, emitter.sent)
                try:
                    emitter.join()
                    wait_for_all(emitter, webhook, asker, Path(folder) / "data" / "logs")
                finally:
                    asker.stop()
                usage = sampler.stop()
        finally:
            embedded.stop()
    wanted = [name for name, at in emitter.sent.items() if at - began >= warm_up_s]
    report.check("every probe was told and refused", len(emitter.sent), len(webhook.came.keys() & asker.refused.keys()))
    found = {
        "rate": rate,
        "probes": len(wanted),
        "emitted": emitter.emitted,
        "emitter_late_s": round(emitter.late_s, 4),
        "bench_cores": round(usage["bench"].cores, 3),
        "everything_else_cores": round(usage["others"].cores, 3),
    }
    print(", ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    report.details.setdefault("runs", []).append(found)
    told = sorted(webhook.came[name] - emitter.sent[name] for name in wanted)
    return told, sorted(asker.refused[name] - emitter.sent[name] for name in wanted)


def wait_for_all(emitter: Emitter, webhook: Webhook, asker: Asker, logs: Path) -> None:
    """Until every probe was told and refused."""
    deadline = time.perf_counter() + GIVE_UP_S
    while len(webhook.came) < len(emitter.sent) or len(asker.refused) < len(emitter.sent):
        if time.perf_counter() > deadline:
            for log in sorted(logs.glob("*.log")):
                print(f"-- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
            missing = sorted(emitter.sent.keys() - webhook.came.keys())
            raise NothingVisibleError(f"not told of {missing}, {len(asker.refused)} of {len(emitter.sent)} refused")
        time.sleep(ASK_EVERY_S)


def main(arguments: list[str] | None = None) -> int:
    """1 when p99 to the webhook misses the floor."""
    made = parser(__doc__, seconds=60, rounds=1)
    made.add_argument("--rates", type=int, nargs="+", default=[RATE, IDLE_RATE], help="events per second")
    args = parse(made, arguments, quick_seconds=2)
    if args.quick:
        args.rates = [min(200, *args.rates)]
    report = Report("alert")
    for rate in args.rates:
        seconds = args.seconds if rate > IDLE_RATE else args.seconds / 2
        rounds = [run(report, rate, seconds, 1.0 if args.quick else WARM_UP_S) for _ in range(args.rounds)]
        for index, where in enumerate(("alert at a webhook", "refusal by a guard elsewhere")):
            for q, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "longest")):
                judged = q == 0.99 and rate >= RATE and not args.quick and index == 0
                bounds: Bounds = (FLOOR_S, GOAL_S) if judged else NOT_JUDGED
                title = f"SDK call to {where}, {rate:,} events/s: {name}"
                values = [quantile(times[index], q) for times in rounds]
                report.figures.append(Figure(title, "s", values, *bounds, lower_is_better=True))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

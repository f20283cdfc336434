"""Booking while everything that an anonymous sender can reach is attacked: 2,000 events per second, from the SDK call
to a row that a query sees, beside slow and hungry readers, half-gigabyte bodies, and poison on every topic.

As `bench latency`, with the attackers of harness/attackers.py in a process beside it. Nothing may be lost: all that was
emitted is booked, and conservation holds.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from spendstream import ProducerConfig, UsageProducer
from stream_jobs.embedded.instance import embedded_clickhouse
from stream_jobs.embedded.supervisor import Embedded, Ports
from stream_jobs.store.client import StoreClient
from tests.benchmarks.bench_latency import RATE, WARM_UP_S, Emitter, quantile, watch
from tests.benchmarks.harness.attackers import KINDS
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report

FLOOR_S, GOAL_S = 3.0, 1.5  # p99 while attacked


def run(report: Report, rate: int, seconds: float, warm_up_s: float, kinds: list[str]) -> list[float]:
    """The sorted latencies of the probes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        embedded = Embedded(Path(folder) / "data", Ports(0, 0, 0))
        instance = embedded.start(lambda _: None)
        attackers = None
        try:
            config = ProducerConfig(bootstrap_servers=instance.kafka, source="bench", spool_dir=Path(folder) / "spool")
            with (
                StoreClient(embedded_clickhouse(instance, writable=True)) as store,
                UsageProducer(config) as producer,
            ):
                attackers = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "tests.benchmarks.harness.attackers",
                        instance.kafka,
                        instance.clickhouse_http,
                        *kinds,
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert attackers.stdout is not None
                assert attackers.stdout.readline() == "attacking\n"
                emitter = Emitter(producer, rate, warm_up_s + seconds)
                emitter.start()
                times = watch(store, emitter, warm_up_s)
                answers, _ = attackers.communicate(timeout=300)
                print(answers.strip(), flush=True)
                booked = _booked(store)
                report.check(f"at {rate} events/s: all emitted are booked", emitter.emitted, booked)
                report.check("parts of the instance that ended", 0, len(_ended(Path(folder))))
                report.details["attacks"] = json.loads(answers)
        finally:
            if attackers is not None:
                attackers.kill()
                attackers.wait()
            for log in sorted((Path(folder) / "data" / "logs").glob("*.log")):
                tail = log.read_text(encoding="utf-8", errors="replace")
                if "Traceback" in tail:
                    print(f"-- {log.name}\n{tail[-2000:]}")
            embedded.stop()
    print(f"probes {len(times)}, emitted {emitter.emitted}, emitter late {emitter.late_s:.2f} s", flush=True)
    return times


def _booked(store: StoreClient) -> int:
    return int(str(store.rows("SELECT uniqExact(event_id) FROM ledger WHERE source != 'poison'")[0][0]))


def _ended(folder: Path) -> list[str]:
    """What the supervisor says of parts that died and were started again."""
    text = (folder / "data" / "logs" / "up.log").read_text() if (folder / "data" / "logs" / "up.log").exists() else ""
    return [line for line in text.splitlines() if "exited" in line]


def main(arguments: list[str] | None = None) -> int:
    """1 when p99 misses the floor, or something is lost."""
    made = parser(__doc__, seconds=30, rounds=1)
    made.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS, help="of attacks (default: all)")
    args = parse(made, arguments)
    report = Report("attack")
    rate = 200 if args.quick else RATE
    rounds = [run(report, rate, args.seconds, 0.2 if args.quick else WARM_UP_S, args.kinds) for _ in range(args.rounds)]
    for q, name in ((0.5, "p50"), (0.99, "p99"), (1.0, "longest")):
        bounds: Bounds = (FLOOR_S, GOAL_S) if q == 0.99 and not args.quick else NOT_JUDGED
        title = f"attacked, SDK call to visible in cost_1m, {rate:,} events/s: {name}"
        report.figures.append(
            Figure(title, "s", [quantile(times, q) for times in rounds], *bounds, lower_is_better=True)
        )
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

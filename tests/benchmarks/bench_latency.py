"""From the SDK call to a row that a query sees, at 2,000 events per second through an embedded pipeline.

The SDK's producer emits at the rate; every so often one of its events carries a project of its own, and a query on
`cost_1m` that is asked all the time finds it. The rest of the traffic is the simulated company's.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import UsageEvent, parse_usage_event
from stream_jobs.embedded.instance import embedded_clickhouse
from stream_jobs.embedded.supervisor import Embedded, Ports
from stream_jobs.store.client import StoreClient
from tests.benchmarks.harness.messages import MessageMaker, templates
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.harness.usage import Sampler

FLOOR_S, GOAL_S = 2.0, 1.0  # p99
RATE = 2_000  # events per second
IDLE_RATE = 20  # every event is a probe then
PROBES_PER_S = 20
WARM_UP_S = 3.0
GIVE_UP_S = 120.0
POLL_S = 0.01
PROBE = "latency-probe-"
_FIND = "SELECT DISTINCT project FROM cost_1m WHERE startsWith(project, {probe:String})"


class NothingVisibleError(Exception):
    """The pipeline books nothing."""


class Emitter:
    """Emits in a thread of its own, as a service does. `sent` says when the SDK was called for each probe."""

    def __init__(
        self,
        producer: UsageProducer,
        rate: int,
        seconds: float,
        *,
        probes_per_s: int = PROBES_PER_S,
        made_of: UsageEvent | None = None,
    ) -> None:
        """Every probe is one of the traffic's events, or `made_of`."""
        self._probes_per_s = probes_per_s
        self._made_of = made_of
        self._producer = producer
        self._rate = rate
        self._seconds = seconds
        self.sent: dict[str, float] = {}
        self.emitted = 0
        self.late_s = 0.0  # how far behind its rate it was at worst
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="emitter")

    def start(self) -> None:
        self._thread.start()

    def running(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._emit_all()
        except BaseException as error:  # noqa: BLE001 - raised again by `join`, in the main thread
            self.error = error

    def _emit_all(self) -> None:
        every = max(1, self._rate // self._probes_per_s)
        began = time.perf_counter()
        for number, event in enumerate(_events(self._rate)):
            due = began + number / self._rate
            if due - began >= self._seconds:
                return
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            else:
                self.late_s = max(self.late_s, -wait)
            if number % every == 0:
                event = self._probe(event, project := f"{PROBE}{number // every}")  # noqa: PLW2901
                self.sent[project] = time.perf_counter()
            if not self._producer.emit(event):
                raise RuntimeError(f"an event was refused: {dict(self._producer.stats().rejected)}")
            self.emitted = number + 1

    def _probe(self, event: UsageEvent, project: str) -> UsageEvent:
        """The event of a project of its own."""
        model = self._made_of or event
        changed = {
            "event_id": event.event_id,
            "occurred_at": event.occurred_at,
            "attribution": model.attribution.model_copy(update={"project": project}),
        }
        return model.model_copy(update=changed)


def _events(rate: int) -> Iterator[UsageEvent]:
    """Events that occur when they are asked for; validated ahead of time, some at once."""
    maker = MessageMaker(templates())
    while True:
        for value in maker.make(max(1, rate // 20)).values:
            event = parse_usage_event(value).message
            yield event.model_copy(update={"occurred_at": datetime.now(UTC)})


def watch(store: StoreClient, emitter: Emitter, warm_up_s: float) -> list[float]:
    """Sorted seconds from the SDK call of each probe until a query found it. Probes of the warm-up are left out."""
    seen: dict[str, float] = {}
    began = deadline = time.perf_counter()
    while emitter.running() or len(seen) < len(emitter.sent):
        rows = store.rows(_FIND, {"probe": PROBE})
        now = time.perf_counter()
        for (project,) in rows:
            if seen.setdefault(str(project), now) == now:
                deadline = now
        if emitter.sent and now - deadline > GIVE_UP_S:
            raise NothingVisibleError(f"no event became visible for {GIVE_UP_S:g} s")
        time.sleep(POLL_S)
    emitter.join()
    return sorted(at - emitter.sent[name] for name, at in seen.items() if emitter.sent[name] - began >= warm_up_s)


def quantile(times: list[float], q: float) -> float:
    """Of sorted values."""
    return times[min(len(times) - 1, int(len(times) * q))]


def run(report: Report, rate: int, seconds: float, warm_up_s: float) -> list[float]:
    """One rate through a pipeline of its own; the sorted latencies."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        embedded = Embedded(Path(folder) / "data", Ports(0, 0, 0))
        instance = embedded.start(lambda _: None)
        try:
            config = ProducerConfig(bootstrap_servers=instance.kafka, source="bench", spool_dir=Path(folder) / "spool")
            with (
                StoreClient(embedded_clickhouse(instance, writable=False)) as store,
                UsageProducer(config) as producer,
            ):
                emitter = Emitter(producer, rate, warm_up_s + seconds)
                sampler = Sampler({}).start()
                emitter.start()
                times = watch(store, emitter, warm_up_s)
                usage = sampler.stop()
                wait_visible(store, emitter.emitted)
                report.check(f"at {rate} events/s: all emitted are in cost_1m", emitter.emitted, _visible(store))
        except NothingVisibleError:
            for log in sorted((Path(folder) / "data" / "logs").glob("*.log")):
                print(f"-- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
            raise
        finally:
            embedded.stop()
    found = {
        "rate": rate,
        "probes": len(times),
        "emitted": emitter.emitted,
        "emitter_late_s": round(emitter.late_s, 4),
        "sdk_and_queries_cores": round(usage["bench"].cores, 3),
        "everything_else_cores": round(usage["others"].cores, 3),
    }
    print(", ".join(f"{name} {value}" for name, value in found.items()), flush=True)
    report.details.setdefault("runs", []).append(found)
    return times


def main(arguments: list[str] | None = None) -> int:
    """1 when p99 misses the floor."""
    made = parser(__doc__, seconds=20, rounds=1)
    made.add_argument("--rates", type=int, nargs="+", default=[RATE, IDLE_RATE], help="events per second")
    args = parse(made, arguments)
    if args.quick:
        args.rates = [min(200, *args.rates)]
    report = Report("latency")
    for rate in args.rates:
        seconds = args.seconds if rate > IDLE_RATE else args.seconds / 2
        rounds = [run(report, rate, seconds, 0.2 if args.quick else WARM_UP_S) for _ in range(args.rounds)]
        for q, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "longest")):
            judged = q == 0.99 and rate >= RATE and not args.quick
            bounds: Bounds = (FLOOR_S, GOAL_S) if judged else NOT_JUDGED
            title = f"SDK call to visible in cost_1m, {rate:,} events/s: {name}"
            values = [quantile(times, q) for times in rounds]
            report.figures.append(Figure(title, "s", values, *bounds, lower_is_better=True))
    return report.finish()


def wait_visible(store: StoreClient, number: int) -> None:
    """Until so many events are in the rollup."""
    deadline = time.perf_counter() + GIVE_UP_S
    while _visible(store) < number and time.perf_counter() < deadline:
        time.sleep(POLL_S)


def _visible(store: StoreClient) -> int:
    return int(str(store.rows("SELECT sum(events) FROM cost_1m")[0][0]))


if __name__ == "__main__":
    sys.exit(main())

"""Whether `spendstream up` can stay up: a steady stream through many turns of the embedded broker, then the accounts.

Run: .venv/bin/python -m tests.benchmarks.soak --minutes 30 --rate 5000 [--max-records N] [--out FILE]

A service publishes through the SDK at the given rate, and adds up in integers what it sent. At the end the ledger and
every rollup must hold exactly that, by team: events and money. Memory is sampled over all processes of the pipeline
together (not over the service). Exit code 1 when the accounts differ, when there were too few turns, or when memory in
the last third of the run is more than GROWTH_MAX above the second third.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from spendstream import ProducerConfig, UsageProducer
from spendstream.lane import Delivery
from spendstream_schemas import Attribution, OutcomeEvent, TokenUsage, UsageEvent, new_event_id
from stream_jobs.embedded.instance import Instance, embedded_clickhouse, read_instance
from stream_jobs.runtime.orphan import die_with_parent
from stream_jobs.runtime.processes import resident_bytes
from stream_jobs.store.client import StoreClient

MIB: Final = 1024 * 1024
GROWTH_MAX: Final = 1.10
TICK_S: Final = 0.02
START_TIMEOUT_S: Final = 120.0
BOOK_TIMEOUT_S: Final = 300.0
TEAMS: Final = ("search", "support", "growth", "platform", "labs")
# Pico-USD per token, from the providers' price pages: the oracle must not ask the price book.
PRICES: Final = {
    ("openai", "gpt-4o"): (2_500_000, 10_000_000),
    ("anthropic", "claude-sonnet-4-5"): (3_000_000, 15_000_000),
}
OUTCOME_EVERY: Final = 50
ROLLUPS: Final = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")


@dataclass
class Oracle:
    """What was accepted by the SDK. Money in pico-USD."""

    events: Counter[str] = field(default_factory=Counter)
    money: Counter[str] = field(default_factory=Counter)
    outcomes: int = 0

    def expected(self) -> dict[str, tuple[int, Decimal]]:
        return {team: (self.events[team], Decimal(self.money[team]).scaleb(-12)) for team in TEAMS if self.events[team]}


class Deliveries:
    """The longest time without an acknowledgement, as the service sees it."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.longest_s = 0.0
        self.pauses: list[float] = []

    def __call__(self, _: Delivery) -> None:
        now = time.monotonic()
        gap, self.last = now - self.last, now
        self.longest_s = max(self.longest_s, gap)
        if gap > 0.2:
            self.pauses.append(round(gap, 2))


def events(oracle: Oracle) -> Iterator[UsageEvent]:
    """Endless. What is yielded counts: send it or stop."""
    models = list(PRICES.items())
    number = 0
    while True:
        number += 1
        (provider, model), (input_price, output_price) = models[number % len(models)]
        team = TEAMS[number % len(TEAMS)]
        asked, answered = 900 + number % 997, 40 + number % 89
        oracle.events[team] += 1
        oracle.money[team] += asked * input_price + answered * output_price
        yield UsageEvent(
            schema_version=1,
            event_id=new_event_id(),
            occurred_at=datetime.now(UTC),
            source="soak",
            provider=provider,
            model=model,
            usage=TokenUsage(kind="tokens", input_tokens=asked, output_tokens=answered),
            attribution=Attribution(project="soak", team=team),
        )


def produce(producer: UsageProducer, oracle: Oracle, rate: float, seconds: float, sample: Any) -> None:
    """At a steady rate: what a slow moment left undone is caught up."""
    stream = events(oracle)
    began = time.monotonic()
    done = 0
    while (elapsed := time.monotonic() - began) < seconds:
        due = int(elapsed * rate)
        for _ in range(done, due):
            if not producer.emit_wait(next(stream), timeout_s=60):
                raise SystemExit(f"the SDK refused an event: {dict(producer.stats().rejected)}")
            done += 1
            if done % OUTCOME_EVERY == 0:
                outcome = OutcomeEvent(
                    schema_version=1,
                    event_id=new_event_id(),
                    occurred_at=datetime.now(UTC),
                    source="soak",
                    outcome="ticket_resolved",
                    quantity=Decimal(1),
                )
                if not producer.emit_wait(outcome, timeout_s=60):
                    raise SystemExit("the SDK refused an outcome")
                oracle.outcomes += 1
        sample(elapsed)
        time.sleep(TICK_S)


def process_tree(root: int) -> list[int]:
    """The process and all its descendants that run."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    tree, queue = [], [root]
    while queue:
        pid = queue.pop()
        tree.append(pid)
        queue += parents.get(pid, [])
    return tree


def role(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "gone"
    marks = {"tansu": "broker", "store.server": "store", "worker_server": "worker", " up ": "supervisor"}
    return next((name for mark, name in marks.items() if mark in command), "other")


class Memory:
    """Samples of resident memory by role, in MiB."""

    def __init__(self, root: int, interval_s: float) -> None:
        self._root = root
        self._interval_s = interval_s
        self._next = 0.0
        self.samples: list[dict[str, float]] = []

    def __call__(self, elapsed: float) -> None:
        if elapsed < self._next:
            return
        self._next = elapsed + self._interval_s
        sample: dict[str, float] = {"s": round(elapsed, 1)}
        for pid in process_tree(self._root):
            name = role(pid)
            sample[name] = round(sample.get(name, 0.0) + resident_bytes(pid) / MIB, 1)
        sample["all"] = round(sum(value for name, value in sample.items() if name != "s"), 1)
        self.samples.append(sample)

    def thirds(self, name: str) -> list[float]:
        """The median of each third of the run, and the maximum of the whole."""
        values = [sample.get(name, 0.0) for sample in self.samples]
        size = max(1, len(values) // 3)
        parts = values[:size], values[size : 2 * size] or values, values[2 * size :] or values
        return [*(statistics.median(part) for part in parts), max(values)]


def metric(instance: Instance, name: str) -> float:
    with urllib.request.urlopen(f"{instance.http}/metrics", timeout=10) as response:
        found = re.search(rf'^{name}{{process="supervisor"}} (\S+)$', response.read().decode(), re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def differences(store: StoreClient, oracle: Oracle) -> list[str]:
    """What the store holds and the oracle does not, or the other way round."""
    wrong = []
    expected = oracle.expected()
    for table in ("ledger", *ROLLUPS):
        rows = store.rows(f"SELECT team, sum(events), sum(list_cost) FROM {table} GROUP BY team")
        found = {str(team): (int(str(count)), Decimal(str(cost))) for team, count, cost in rows}
        wrong += [
            f"{table}, {team}: {found.get(team)} instead of {expected.get(team)}"
            for team in sorted(expected.keys() | found.keys())
            if found.get(team) != expected.get(team)
        ]
    outcomes = int(str(store.rows("SELECT count() FROM outcomes")[0][0]))
    if outcomes != oracle.outcomes:
        wrong.append(f"outcomes: {outcomes} instead of {oracle.outcomes}")
    return wrong


def wait_booked(store: StoreClient, oracle: Oracle) -> None:
    deadline = time.monotonic() + BOOK_TIMEOUT_S
    total = sum(oracle.events.values()) + oracle.outcomes
    while int(str(store.rows("SELECT sum(booked) FROM block_receipts")[0][0])) < total:
        if time.monotonic() > deadline:
            return  # the comparison says what is missing
        time.sleep(0.2)


def start(folder: Path, environment: dict[str, str]) -> tuple["subprocess.Popen[bytes]", Instance]:
    command = [sys.executable, "-m", "spendstream", "up", "--data-dir", str(folder / "data")]
    command += ["--kafka-port", "0", "--clickhouse-port", "0", "--http-port", "0"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")}
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**inherited, **environment},
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call, prepared before the fork
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while (instance := read_instance(folder / "data")) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit(f"spendstream up did not start:\n{(folder / 'up.log').read_text()[-2000:]}")
        time.sleep(0.1)
    return process, instance


@dataclass
class Report:
    """What was measured. Memory in MiB: medians of the thirds of the run, and the maximum."""

    seconds: float
    rate: float
    events: int
    outcomes: int
    turns: int
    usd: str
    differences: list[str]
    memory_mib: dict[str, list[float]]
    growth: float
    longest_pause_s: float
    pauses_s: list[float]
    client_restarts: int
    drain_s: float
    samples: list[dict[str, float]]

    def table(self) -> str:
        lines = [
            f"{self.events:,} events and {self.outcomes:,} outcomes in {self.seconds:.0f} s, {self.usd} USD, "
            f"{self.turns} turns of the broker",
            f"longest time without an acknowledgement: {self.longest_pause_s:.2f} s; "
            f"booked to the end {self.drain_s:.1f} s after the last event",
            f"{'memory, MiB':<14}{'first third':>12}{'second':>10}{'last':>10}{'most':>10}",
        ]
        lines += [
            f"{name:<14}"
            + "".join(f"{value:>{width}.0f}" for value, width in zip(values, (12, 10, 10, 10), strict=True))
            for name, values in self.memory_mib.items()
        ]
        lines += ["ledger and rollups equal the oracle" if not self.differences else "DIFFERENT FROM THE ORACLE:"]
        return "\n".join(lines + self.differences)


def soak(seconds: float, rate: float, environment: dict[str, str], folder: Path, sample_s: float = 2.0) -> Report:
    """Run it all in `folder`; the pipeline is stopped at the end."""
    process, instance = start(folder, environment)
    try:
        oracle, deliveries, memory = Oracle(), Deliveries(), Memory(process.pid, sample_s)
        config = ProducerConfig(bootstrap_servers=instance.kafka, source="soak", spool_dir=folder / "spool")
        began = time.monotonic()
        with UsageProducer(config, on_delivered=deliveries) as producer:
            produce(producer, oracle, rate, seconds, memory)
            ended = time.monotonic()
            if producer.flush(120):
                raise SystemExit(f"not everything was delivered: {producer.stats()}")
            stats = producer.stats()
        with StoreClient(embedded_clickhouse(instance, writable=False)) as store:
            wait_booked(store, oracle)
            drained = time.monotonic()
            wrong = differences(store, oracle)
        turns = int(metric(instance, "spendstream_embedded_broker_turns_total"))
    finally:
        process.terminate()
        process.wait(120)
    thirds = {name: memory.thirds(name) for name in ("broker", "store", "worker", "supervisor", "all")}
    return Report(
        seconds=round(ended - began, 1),
        rate=rate,
        events=sum(oracle.events.values()),
        outcomes=oracle.outcomes,
        turns=turns,
        usd=str(Decimal(sum(oracle.money.values())).scaleb(-12).normalize()),
        differences=wrong,
        memory_mib=thirds,
        growth=round(thirds["all"][2] / thirds["all"][1], 3),
        longest_pause_s=round(deliveries.longest_s, 2),
        pauses_s=deliveries.pauses[:100],
        client_restarts=stats.client_restarts,
        drain_s=round(drained - ended, 2),
        samples=memory.samples,
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="events per second")
    parser.add_argument("--max-records", type=int, help="bound of the broker (default: the default of spendstream up)")
    parser.add_argument("--min-turns", type=int, default=3)
    parser.add_argument("--data", type=Path, help="keep everything in this folder (default: a temporary one)")
    parser.add_argument("--out", type=Path, help="write the report, samples included, as JSON")
    args = parser.parse_args(arguments)
    environment = {}
    if args.max_records is not None:
        environment["SPENDSTREAM_EMBEDDED_BROKER_MAX_RECORDS"] = str(args.max_records)
    with tempfile.TemporaryDirectory(prefix="spendstream-soak-") as temporary:
        folder = args.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = soak(args.minutes * 60, args.rate, environment, folder)
    print(report.table())
    if args.out is not None:
        args.out.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    problems = []
    if report.turns < args.min_turns:
        problems.append(f"{report.turns} turns, {args.min_turns} were expected")
    if report.growth > GROWTH_MAX:
        problems.append(f"memory grew by {report.growth - 1:.0%} from the second to the last third")
    for problem in problems:
        print(problem)
    return int(bool(problems or report.differences))


if __name__ == "__main__":
    sys.exit(main())

"""One run: known input, faults at random instants, and afterwards the ledger and every rollup exact or not."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import BrokerUnavailableError, SpendstreamError
from stream_jobs.blocks.progress import booked_to
from stream_jobs.conservation.check import check
from stream_jobs.reconciliation.findings import Finding
from stream_jobs.reconciliation.run import Reconciler
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient
from tests.chaos.anomalies import alert_differences, begun_differences, told_differences
from tests.chaos.brokers import TOPIC
from tests.chaos.faults import plan
from tests.chaos.oracle import PICO, Expected, Oracle
from tests.chaos.senders import service_values
from tests.chaos.traffic import generate
from tests.chaos.verify import differences
from tests.chaos.world import World

STALL_S: Final = 60.0
WATCHED_S: Final = 240.0
TICK_S: Final = 0.02
NOTE_S: Final = 3.0
ACCOUNTS_OF: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Options:
    """What makes one run; the same options give the same input and the same plan of faults."""

    seed: int
    broker: str
    events: int
    seconds: float

    @property
    def command(self) -> str:
        return (
            f"python -m tests.chaos --seed {self.seed} --broker {self.broker} --events {self.events} "
            f"--seconds {self.seconds:g}"
        )


@dataclass(slots=True)
class Report:
    """What happened. `problems` is empty when everything is exact."""

    options: Options
    folder: Path
    problems: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    total: str = ""
    wall_s: float = 0.0


def run(
    options: Options, parent: Path | None = None, *, keep: bool = False, follow: Callable[[str], None] | None = None
) -> Report:
    """Never raises for what goes wrong in the run: that is a problem of the report. The folder is removed when there
    are none."""
    folder = Path(tempfile.mkdtemp(prefix=f"spendstream-chaos-{options.broker}-{options.seed}-", dir=parent))
    report = Report(options, folder)
    started = time.monotonic()
    world = World(folder, options.broker, random.Random(f"world {options.seed}"))
    world.follow = follow
    try:
        _run(options, world, report)
    except (AssertionError, SpendstreamError) as error:
        report.problems.append(f"{type(error).__name__}: {error}")
    finally:
        world.stop()
        world.note("stopped")
        report.history = world.history
        report.wall_s = time.monotonic() - started
    if report.problems or keep:
        (folder / "report.txt").write_text("\n".join([options.command, *report.problems, "", *report.history]))
    else:
        shutil.rmtree(folder)
    return report


def _run(options: Options, world: World, report: Report) -> None:
    traffic = generate(options.seed, options.events)
    world.start()
    world.learn(traffic)
    world.send(traffic, options.seconds)
    _harm(options, world)
    topic_id = _drain(world)
    log = world.broker.read_log()
    for worker in world.workers:
        worker.terminate()
    late = []
    for worker in world.workers:
        if worker.wait() is None:
            late.append(worker.name)
        world.note(f"{worker.name} has stopped")
    if late:
        report.problems.append(f"did not stop when asked to: {', '.join(late)}")
    world.note("the workers have stopped")
    oracle = Oracle(traffic, service_values(traffic.service))
    if missing := oracle.missing(log):
        report.problems.append(f"{len(missing)} messages never reached the broker, e.g. {missing[0][:200]!r}")
        return
    expected = oracle.expect(log)
    with StoreClient(world.store_settings) as store:
        # Copies in different partitions may have been booked side by side: the reconciliation job takes them back.
        found: list[Finding] = []
        reconciler = Reconciler(store, from_environment(ReconciliationSettings))
        reconciler.apply("chaos", reconciler.beginning(), found.append)
        doubled = sorted({item.event.event_id for item in found} - expected.strays)
        if doubled:
            report.problems.append(f"{len(doubled)} events of one partition were booked twice, e.g. {doubled[:5]}")
        report.problems += differences(store, expected, topic_id)
        report.problems += _watched(world, store)
        accounts = check(store, datetime.now(UTC) - ACCOUNTS_OF, kafka=world.broker.settings, topic=TOPIC)
        if not accounts.closes:
            report.problems.append(f"conservation does not close: {accounts}")
    world.note("compared")
    report.total = f"{expected.total()['list_cost'] / PICO:.6f}"
    _count(world, expected, report)
    report.counts |= {"in two partitions": len(expected.strays), "taken back": len(found)}


def _harm(options: Options, world: World) -> None:
    """Begin each fault at its time, and see each through to its end."""
    rng = random.Random(f"faults {options.seed}")
    todo = plan(rng, options.seconds, durable=world.broker.durable)
    running: list[tuple[float, Iterator[float]]] = []
    start = time.monotonic()
    while todo or running or time.monotonic() < start + options.seconds:
        now = time.monotonic()
        while todo and start + todo[0][0] <= now:
            running.append((now, todo.pop(0)[1](world, rng)))
        for item in [item for item in running if item[0] <= now]:
            running.remove(item)
            wait_s = next(item[1], None)
            if wait_s is not None:
                running.append((time.monotonic() + wait_s, item[1]))
        world.tick()
        time.sleep(TICK_S)


def _drain(world: World) -> str:
    """Until all is sent and all is booked. Gives up when nothing has moved for a while. Returns the topic's id."""
    world.note("no more faults")
    assert world.sender is not None
    assert world.service is not None
    assert world.store is not None
    world.store.wait_ready()
    world.broker.wait_ready()
    state: object = None
    deadline, noted = time.monotonic() + STALL_S, 0.0
    with StoreClient(world.store_settings) as store:
        while True:
            sent = world.sender.done and not world.service.alive
            try:
                topic_id, ends = world.broker.log_ends()
            except BrokerUnavailableError:  # it runs, but its partitions may not have a leader yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(TICK_S)
                continue
            booked = booked_to(store, TOPIC, topic_id)
            if sent and all(booked.get(partition, 0) == end for partition, end in ends.items()):
                break
            now = (world.sender.acknowledged, sent, ends, booked)
            if now != state:
                state, deadline = now, time.monotonic() + STALL_S
                if time.monotonic() > noted + NOTE_S:
                    noted = time.monotonic()
                    left = sum(ends.values()) - sum(booked.values())
                    world.note(f"{'all' if sent else world.sender.acknowledged} sent, {left} records to book")
            assert time.monotonic() < deadline, f"nothing moves any more: sent {sent}, booked {booked} of {ends}"
            world.tick()
            time.sleep(0.1)
    assert world.service.exit_code == 0, f"the service failed:\n{world.service.text()[-2000:]}"
    world.note("all is booked")
    return topic_id


def _watched(world: World, store: StoreClient) -> list[str]:
    """What is wrong with the findings, once the anomalies job had time to come to the end of it."""
    assert world.watcher is not None
    deadline = time.monotonic() + WATCHED_S
    problems = ["nothing was looked at"]
    while problems and time.monotonic() < deadline:
        time.sleep(2)
        world.tick_watcher()
        signals = world.broker.read_log(ALERTS)
        problems = [*told_differences(store), *alert_differences(store, signals[0])]
    world.note("the findings were looked at")
    world.watcher.kill()
    return [*problems, *begun_differences(store)]


def _count(world: World, expected: Expected, report: Report) -> None:
    workers = [*world.gone, *world.workers]
    stats = world.service.stats() if world.service else {}
    report.counts = {
        "events": len(expected.winners),
        "records": sum(expected.ends.values()),
        "refused": len(expected.refused),
        "workers": len(workers),
        "blocks redone": sum(worker.count("redid block") for worker in workers),
        "partitions lost": sum(worker.count(r"lost usage\.events") for worker in workers),
        "steps retried": sum(worker.count("trying again in") for worker in workers),
        "crashes": sum(worker.exit_code == 1 for worker in workers),
        "sent again": world.sender.resent if world.sender else 0,
        "disk full": sum(stats.get("errors", {}).get(kind, 0) for kind in ("disk_full", "not_durable")),
    }

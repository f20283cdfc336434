"""A worker dies by kill -9 between every two steps of a booking, one after the other; its successor ends the work.

Real processes on a real broker and a real store. The steps are those of `tests.chaos.mortal`.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stream_jobs.blocks.progress import booked_to
from stream_jobs.store.client import StoreClient
from tests.chaos.brokers import TOPIC
from tests.chaos.mortal import KILL
from tests.chaos.oracle import Oracle
from tests.chaos.processes import Worker, wait_for
from tests.chaos.traffic import Traffic
from tests.chaos.verify import differences
from tests.chaos.world import World
from tests.integration.pipeline import usage_event

pytestmark = pytest.mark.slow

STEPS = (
    "processed",
    "inserted:blocks",
    "committed",
    "inserted:ledger",
    "inserted:quarantine",
    "inserted:duplicates",
    "announced",
    "inserted:block_receipts",
)
TO_REDO = STEPS[STEPS.index("committed") : -1]
"""After these the block is official and not finished."""
TIMEOUT_S = 60.0


class Steps:
    """One partition, an owner and a worker that stands by."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, "tansu", random.Random(0), partitions=1, workers=2)
        self.traffic = Traffic()
        self._batches = 0

    def batch(self) -> list[tuple[bytes, bytes | None]]:
        """Records that fill every table: new events, a copy, a copy and a correction from the last batch, garbage."""
        number, self._batches = self._batches, self._batches + 1
        events = [usage_event(f"b{number}-{n}", attribution={"project": f"p{n % 3}"}) for n in range(40)]
        if number:
            before = f"b{number - 1}-"
            events.append(self.traffic.events[self._value(f"{before}0")])
            events.append(self._changed(usage_event(f"{before}1", revision=1), 7_000_000))
        events.append(self._changed(usage_event(f"b{number}-2"), 9_000_000))
        values = [json.dumps(event).encode() for event in [*events, events[5]]]
        self.traffic.events |= dict(zip(values, [*events, events[5]], strict=True))
        poison = f"garbage {number}".encode()
        self.traffic.poison[poison] = "not_json"
        return [*((b"k", value) for value in values), (b"k", poison)]

    def _value(self, event_id: str) -> bytes:
        return next(value for value, event in self.traffic.events.items() if event["event_id"] == event_id)

    @staticmethod
    def _changed(event: dict[str, Any], tokens: int) -> dict[str, Any]:
        return event | {"usage": {"kind": "tokens", "input_tokens": tokens, "output_tokens": 0}}

    def send(self, records: list[tuple[bytes, bytes | None]]) -> None:
        """In one batch, so that they come in one fetch and become one block."""
        producer = Producer({"bootstrap.servers": self.world.broker.address, "log_level": 0, "linger.ms": 200})
        for key, value in records:
            producer.produce(TOPIC, value=value, key=key)
        assert producer.flush(30) == 0

    def die_at(self, step: str) -> Worker:
        """Send a batch; the owner dies while it books it. Returns it."""
        (self.world.steps / step).write_text(KILL)
        self.send(self.batch())
        dead = wait_for(self._dead, TIMEOUT_S, f"a worker died at {step}")
        assert isinstance(dead, Worker)
        return dead

    def _dead(self) -> Worker | None:
        for worker in self.world.workers:
            if not worker.alive:
                assert worker.exit_code == -9, worker.text()
                self.world.evict(worker)  # so that nobody waits for its session to end
                self.world.workers.remove(worker)
                self.world.gone.append(worker)
                return worker
        return None

    def wait_booked(self) -> None:
        with StoreClient(self.world.store_settings) as store:
            topic_id, ends = self.world.broker.log_ends()
            wait_for(lambda: booked_to(store, TOPIC, topic_id).get(0) == ends[0], TIMEOUT_S, "all is booked")

    def wrong(self) -> list[str]:
        """What is lost or doubled."""
        topic_id, _ = self.world.broker.log_ends()
        expected = Oracle(self.traffic, {}).expect(self.world.broker.read_log())
        with StoreClient(self.world.store_settings) as store:
            return differences(store, expected, topic_id)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Steps]:
    steps = Steps(tmp_path / "world")
    try:
        steps.world.start_services()
        yield steps
    finally:
        steps.world.stop()


def test_a_worker_without_a_partition_is_ready_too(fresh: Steps) -> None:
    """More workers than partitions: the one that stands by has joined, and says so."""
    workers = [fresh.world.start_worker(), fresh.world.start_worker()]
    wait_for(lambda: all(worker.ready for worker in workers), TIMEOUT_S, "two workers on one partition")


@pytest.mark.timeout(600)  # a session must end, and two workers start, eight times over
def test_a_worker_killed_between_any_two_steps_loses_and_doubles_nothing(fresh: Steps) -> None:
    """At each step in turn the owner dies for good; the one that stands by books the rest, and nothing twice."""
    fresh.world.start_worker()
    for step in STEPS:
        fresh.world.start_worker()
        wait_for(lambda: all(worker.ready for worker in fresh.world.workers), TIMEOUT_S, "an owner and an heir")
        heirs = list(fresh.world.workers)
        dead = fresh.die_at(step)
        fresh.wait_booked()
        assert fresh.wrong() == [], step
        redone = sum(worker.count("redid block") for worker in heirs if worker is not dead)
        assert redone or step not in TO_REDO, "an official block of a dead worker is redone"


@pytest.mark.parametrize(("sabotage", "step"), [("tokens", "inserted:ledger"), ("redo", "committed")])
def test_the_check_notices_what_is_doubled_and_what_is_lost(fresh: Steps, sabotage: str, step: str) -> None:
    """With inserts that are not deduplicated the same death doubles entries, without redoing it loses them."""
    fresh.world.start_worker(sabotage)
    fresh.die_at(step)
    fresh.world.start_worker(sabotage)
    if sabotage == "tokens":
        fresh.wait_booked()
    else:
        fresh.send(fresh.batch())  # the next block gets its receipt, the lost one has none
        fresh.wait_booked()
    found = fresh.wrong()
    assert any(line.startswith("ledger: ") for line in found), found
    for rollup in ("cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        assert any(line.startswith(f"{rollup}: ") for line in found), found

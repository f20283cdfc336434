"""The producer in a service that dies: kill -9, clean exit, fork, a full disk, with the broker there and away.

The embedded broker forgets its content when it stops, so what must arrive is read from its last start on.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.embedded.broker import TansuBroker
from tests.unit.producers.support import create_topics, ids_on, wait_for

ROOT = Path(__file__).parents[2]


class Service:
    """A running tests/unit/producers/service.py."""

    def __init__(self, settings: dict[str, Any], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.producers.service", json.dumps(settings), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def ask(self, command: str) -> Any:
        self.tell(command)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the service died at {command!r}"
        return json.loads(line)

    def tell(self, command: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._end()

    def exit(self) -> int:
        """End of its input: it leaves main without calling close."""
        assert self.process.stdin
        self.process.stdin.close()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        return code


Start = Callable[..., Service]


@pytest.fixture
def start(broker: TansuBroker, tmp_path: Path) -> Iterator[Start]:
    """Starts services that share one spool folder, and stops those that still run at the end."""
    services: list[Service] = []

    def start_one(*arguments: str, **settings: Any) -> Service:
        defaults = {"bootstrap_servers": broker.address, "source": "svc", "spool_dir": str(tmp_path / "spool")}
        services.append(Service(defaults | settings, *arguments))
        return services[-1]

    yield start_one
    for service in services:
        if service.process.poll() is None:
            service.kill()


def names(prefix: str, count: int) -> set[str]:
    return {f"{prefix}-{number}" for number in range(count)}


def test_every_event_survives_outages_and_restarts_of_the_service(
    broker: TansuBroker, start: Start, tmp_path: Path
) -> None:
    """Broker stopped; one service killed -9, the next one ended cleanly; broker back: everything arrives."""
    create_topics(broker.address)
    killed = start()
    assert killed.ask("emit before 100") == 100
    assert killed.ask("flush 20") == 0
    assert set(ids_on(broker.address)) == names("before", 100)  # read now: the broker is about to forget it
    broker.stop()
    assert killed.ask("emit killed 500") == 500
    assert killed.ask("settle")  # nothing is in memory only: from here on a kill -9 loses nothing
    killed.kill()
    ended = start()
    assert ended.ask("emit ended 500") == 500
    assert ended.exit() == 0  # never closed: atexit spools what is in memory
    closed = start()
    assert closed.ask("emit closed 500") == 500
    stats = closed.ask("close")
    assert (stats["dropped"], stats["in_memory"]) == ({}, 0)
    assert closed.exit() == 0
    broker.start()
    create_topics(broker.address)
    last = start()
    assert last.ask("emit last 100") == 100
    wait_for(lambda: last.ask("flush 1") == 0, "the last service has sent what the others left")
    expected = names("killed", 500) | names("ended", 500) | names("closed", 500) | names("last", 100)
    assert set(ids_on(broker.address)) == expected
    assert last.exit() == 0
    assert list((tmp_path / "spool").rglob("*.seg")) == []


def test_a_clean_exit_right_after_emit_loses_nothing(broker: TansuBroker, start: Start) -> None:
    """A short-lived script that never flushes: atexit delivers."""
    create_topics(broker.address)
    script = start()
    assert script.ask("emit script 2000") == 2000
    assert script.exit() == 0
    assert set(ids_on(broker.address)) == names("script", 2000)


def test_durable_events_survive_a_kill_at_any_moment(broker: TansuBroker, start: Start) -> None:
    """With durable=True: every id the service had noted as accepted before kill -9 arrives after its restart."""
    create_topics(broker.address)
    service = start(durable=True)
    service.tell("stream durable")
    assert service.process.stdout
    accepted = {service.process.stdout.readline().strip() for _ in range(1500)}
    service.process.send_signal(signal.SIGKILL)
    lines = service.process.stdout.read().split("\n")
    accepted |= {line for line in lines[:-1] if line}  # what follows the last newline may be cut
    service.kill()
    heir = start(durable=True)
    wait_for(lambda: heir.ask("flush 1") == 0, "the heir has sent what was left")
    assert heir.exit() == 0
    arrived = set(ids_on(broker.address))
    assert len(accepted) >= 1500
    assert accepted <= arrived


def test_two_services_share_a_spool_folder_without_mixing(broker: TansuBroker, start: Start) -> None:
    """Both spool at once; neither sends what the living other one holds; nothing arrives twice."""
    create_topics(broker.address)
    broker.stop()
    one, two = start(), start()
    assert one.ask("emit one 300") == 300
    assert two.ask("emit two 300") == 300
    assert one.ask("settle")
    assert two.ask("settle")
    broker.start()
    create_topics(broker.address)
    for service in (one, two):
        wait_for(lambda service=service: service.ask("flush 1") == 0, "its own spool is sent")  # type: ignore[misc]
        assert service.ask("stats")["replayed"] == 300
    assert sorted(ids_on(broker.address)) == sorted(names("one", 300) | names("two", 300))


def test_a_forked_child_sends_its_own_events_only(broker: TansuBroker, start: Start) -> None:
    """The child gets a client of its own, exits cleanly, and what the parent holds arrives once."""
    create_topics(broker.address)
    parent = start()
    assert parent.ask("emit parent 500") == 500
    assert parent.ask("fork child 200") == 0
    assert parent.ask("emit parent-again 100") == 100
    assert parent.ask("flush 20") == 0
    assert parent.ask("stats")["delivered"] == 600
    assert parent.exit() == 0
    expected = names("parent", 500) | names("child", 200) | names("parent-again", 100)
    assert sorted(ids_on(broker.address)) == sorted(expected)


def test_a_fork_while_the_broker_is_away_keeps_the_spools_apart(broker: TansuBroker, start: Start) -> None:
    """The child neither sends nor damages what the parent has spooled; what it leaves behind is adopted."""
    create_topics(broker.address)
    broker.stop()
    parent = start()
    assert parent.ask("emit parent 500") == 500
    assert parent.ask("settle")
    assert parent.ask("fork child 200") == 0
    parent.kill()
    broker.start()
    create_topics(broker.address)
    heir = start()
    wait_for(lambda: heir.ask("flush 1") == 0 and heir.ask("stats")["delivered"] >= 700, "all is sent")
    assert set(ids_on(broker.address)) == names("parent", 500) | names("child", 200)


def test_a_full_disk_is_counted_and_refused_never_raised(broker: TansuBroker, start: Start) -> None:
    """Files may not grow past 20 kB: memory fills, emit says no, and all it said yes to arrives later."""
    create_topics(broker.address)
    broker.stop()
    service = start(str(20_000), memory_max_events=400)
    accepted = 0
    for batch in range(40):
        accepted += service.ask(f"emit b{batch} 50")
    # Memory can be full before the background thread has found the broker away and tried the disk.
    wait_for(lambda: "disk_full" in service.ask("stats")["errors"], "the disk was tried")
    stats = service.ask("stats")
    assert stats["errors"]["disk_full"] > 0
    assert 0 < accepted < 2000
    assert sum(stats["rejected"].values()) == 2000 - accepted
    assert set(stats["rejected"]) <= {"disk_full", "memory_full"}
    assert stats["dropped"] == {}
    broker.start()
    create_topics(broker.address)
    wait_for(lambda: service.ask("flush 1") == 0, "what was accepted is sent")
    assert len(set(ids_on(broker.address))) == accepted


def test_the_spool_bound_refuses_the_newest(broker: TansuBroker, start: Start) -> None:
    """The spool stays within its bytes; what is beyond spool and memory is refused; what was accepted arrives."""
    create_topics(broker.address)
    broker.stop()
    service = start(spool_max_bytes=65_536, spool_segment_bytes=8192, memory_max_events=400)
    batches = count()
    accepted = 0

    def refused_for_the_spool() -> bool:
        nonlocal accepted
        accepted += service.ask(f"emit b{next(batches)} 50")
        return "spool_full" in service.ask("stats")["rejected"]

    wait_for(refused_for_the_spool, "spool and memory are full")
    stats = service.ask("stats")
    assert stats["spool_bytes"] <= 65_536
    assert stats["spool_records"] > 100
    assert set(stats["rejected"]) <= {"spool_full", "memory_full"}
    assert sum(stats["rejected"].values()) == 50 * next(batches) - accepted > 0
    broker.start()
    create_topics(broker.address)
    wait_for(lambda: service.ask("flush 1") == 0, "what was accepted is sent")
    arrived = ids_on(broker.address)
    assert len(set(arrived)) == accepted
    assert names("b0", 50) <= set(arrived)


def test_what_another_start_had_locked_is_sent_when_that_one_is_gone(broker: TansuBroker, start: Start) -> None:
    """Killed, adopted by one that cannot send and is killed too: a third that was there all the time sends it."""
    create_topics(broker.address)
    broker.stop()
    first = start()
    assert first.ask("emit stranded 100") == 100
    assert first.ask("settle")
    first.kill()
    second = start()
    wait_for(lambda: second.ask("stats")["spool_records"] == 100, "the second holds what the first left")
    third = start()
    assert third.ask("emit third 10") == 10
    assert third.ask("settle")
    assert third.ask("stats")["spool_records"] == 10
    second.kill()
    broker.start()
    create_topics(broker.address)
    wait_for(lambda: third.ask("stats")["replayed"] >= 110, "the third sends both")
    assert sorted(ids_on(broker.address)) == sorted(names("stranded", 100) | names("third", 10))

"""A fork while names are looked up: glibc's lock stays held in the child, whose Kafka clients can connect to nobody."""

import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendstream import UsageProducer, delivery_thread
from spendstream.native import until
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.ports import free_port
from tests.unit.producers.support import config, create_topics, event, ids_on

ROOT = Path(__file__).parents[2]
CHILDREN = 6
LOOKED_AT = Path("/proc/self/task")
needs_proc = pytest.mark.skipif(not LOOKED_AT.is_dir(), reason="names of threads are read from /proc")


def clients_threads() -> list[str]:
    """Names of librdkafka's threads of this process."""
    names = []
    for task in LOOKED_AT.iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            names.append((task / "comm").read_text().strip())
    return [name for name in names if name.startswith("rdk:")]


FORKS = """
import os, sys, time
from pathlib import Path
seen = []
os.register_at_fork(before=lambda: seen.append(clients_threads()))  # hooks run in reverse order: after the producer's
from spendstream.native import until
from tests.integration.test_producer_forks import clients_threads
from tests.unit.producers.support import config
from spendstream import UsageProducer, delivery_thread

producer = UsageProducer(config(sys.argv[1], Path(sys.argv[2])))
for _ in range(8):
    assert until(clients_threads, 10.0), "no client came back"
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)
producer.close()
assert len(seen) == 8 and not any(seen), seen
"""


@needs_proc
def test_no_client_looks_for_its_broker_during_a_fork(tmp_path: Path) -> None:
    """One that has not found it is given up before, and there is another one after."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS, f"127.0.0.1:{free_port()}", str(tmp_path)],
        cwd=ROOT,
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_fork_waits_for_first_messages_and_then_keeps_their_client(broker: TansuBroker, tmp_path: Path) -> None:
    """They are not sent twice for it; a client that has delivered is not replaced by any fork."""
    create_topics(broker.address)
    with UsageProducer(config(broker.address, tmp_path)) as producer:
        producer.emit(event("first"))
        for _ in range(5):
            if not (child := os.fork()):
                os._exit(0)
            os.waitpid(child, 0)
        assert producer.flush(10.0) == 0
        assert (producer.stats().client_restarts, producer.stats().connected) == (0, True)
    assert ids_on(broker.address) == ["first"]


def test_the_end_waits_for_what_a_fork_had_held_up(
    broker: TansuBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was given up for a fork says nothing of the broker: what it had is sent before the end."""
    monkeypatch.setattr(delivery_thread, "_SETTLE_S", 0.0)
    create_topics(broker.address)
    producer = UsageProducer(config(broker.address, tmp_path))
    producer.emit(event("held up"))
    fork_times(1)
    producer.close()
    assert set(ids_on(broker.address)) == {"held up"}
    assert producer.stats().spool_records == 0


def test_what_a_child_cannot_send_its_parent_does(broker: TansuBroker, tmp_path: Path) -> None:
    """The service itself looks up names while it forks: such a child ends in time, and what it emitted arrives."""
    create_topics(broker.address)
    over = threading.Event()

    def look_up() -> None:
        while not over.is_set():
            socket.getaddrinfo("127.0.0.1", 80, flags=socket.AI_ADDRCONFIG)

    with UsageProducer(config(broker.address, tmp_path, close_timeout_s=2.0)) as producer:
        producer.emit(event("parent"))
        assert producer.flush(10.0) == 0
        threads = [threading.Thread(target=look_up) for _ in range(3)]
        for thread in threads:
            thread.start()
        context = multiprocessing.get_context("fork")
        children = [
            context.Process(target=lambda name: producer.emit(event(name)), args=(f"child-{number}",))
            for number in range(CHILDREN)
        ]
        for child in children:
            child.start()
        over.set()
        for thread in threads:
            thread.join()
        for child in children:
            child.join(30.0)
            assert child.exitcode == 0
        expected = {"parent", *(f"child-{number}" for number in range(CHILDREN))}
        assert until(lambda: set(ids_on(broker.address)) >= expected, 20.0)
    assert sorted(ids_on(broker.address)) == sorted(expected)


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of what takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def fork_times(forks: int) -> list[float]:
    times = []
    for _ in range(forks):
        began = time.monotonic()
        if not (child := os.fork()):
            os._exit(0)
        times.append(time.monotonic() - began)
        os.waitpid(child, 0)
    return times


def test_a_fork_waits_for_all_producers_at_once(mute: str, tmp_path: Path) -> None:
    """At most about a second, however many there are, and not again for each of a series of forks."""
    with contextlib.ExitStack() as stack:
        for number in range(4):
            settings = config(mute, tmp_path / str(number), close_timeout_s=0.1)
            stack.enter_context(UsageProducer(settings)).emit(event(f"e{number}"))
        first, *others = fork_times(6)
    assert first < 2.0
    assert sum(others) < 1.0


def test_what_nobody_can_send_is_spooled_where_no_thread_can_be_had(
    mute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's limit of processes is reached, and the broker is mute: the end loses nothing."""
    producer = UsageProducer(config(mute, tmp_path, close_timeout_s=0.1))
    assert all(producer.emit(event(f"e{number}")) for number in range(20))

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    producer.close()
    assert (producer.stats().spool_records, producer.stats().dropped) == (20, {})


@pytest.mark.slow
def test_a_process_that_forks_all_the_time_delivers(tmp_path: Path) -> None:
    """A process for each job, and the broker comes late: its clients get a moment between forks."""
    broker = TansuBroker(free_port(), tmp_path / "broker")
    with UsageProducer(config(broker.address, tmp_path / "spool")) as producer:
        began = time.monotonic()
        emitted = 0
        while time.monotonic() < began + 60 and not producer.stats().delivered:
            emitted += producer.emit(event(f"e{emitted}"))
            fork_times(1)
            time.sleep(0.1)
            if broker.pid is None and time.monotonic() > began + 4:
                broker.start()
                create_topics(broker.address)
        assert producer.stats().delivered, "nothing was delivered while the process forked"
        assert producer.flush(20.0) == 0
    try:
        assert set(ids_on(broker.address)) == {f"e{number}" for number in range(emitted)}
    finally:
        broker.stop()

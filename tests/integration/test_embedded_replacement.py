"""The embedded broker's bound, with small numbers: an empty broker takes over from a full one, and nothing is lost."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.embedded import supervisor
from stream_jobs.embedded.background import watched
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.embedded.producer_ids import ProducerIds
from stream_jobs.embedded.supervisor import Embedded, Ports
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.store.client import StoreClient
from tests.benchmarks.soak import soak
from tests.integration.asking import Asking
from tests.integration.pipeline import COMMAND, Pipeline, until, usage_event
from tests.store_server import prepared

pytestmark = pytest.mark.slow

ASKING = Asking()
BOUND = 1_000  # records; the smallest there is
ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")


@contextmanager
def running(folder: Path) -> Iterator[Embedded]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SPENDSTREAM_EMBEDDED_BROKER_MAX_RECORDS", str(BOUND))
        embedded = Embedded(prepared(folder), Ports(0, 0, 0))
        embedded.start(lambda _: None)
    try:
        yield embedded
    finally:
        ASKING.close()
        embedded.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("turning") / "data"


@pytest.fixture(scope="module")
def embedded(folder: Path) -> Iterator[Embedded]:
    with running(folder) as embedded:
        yield embedded


class Sender:
    """Numbered events straight to Kafka, in small batches: the last one of a partition counts only when read."""

    def __init__(self, folder: Path) -> None:
        self._pipeline = Pipeline(folder)
        self.sent = 0

    def __call__(self, number: int) -> None:
        for first in range(self.sent, self.sent + number, 50):
            last = min(first + 50, self.sent + number)
            self._pipeline.send_events(*(usage_event(f"t{index}") for index in range(first, last)))
        self.sent += number


@pytest.fixture(scope="module")
def send(folder: Path) -> Sender:
    """What all tests of this module have sent; every one of them looks at everything."""
    return Sender(folder)


def watch_until(embedded: Embedded, condition: Callable[[], object], what: str) -> None:
    """As `spendstream up` does, until it holds."""
    deadline = time.monotonic() + 180
    while True:
        try:
            embedded.watch()
            if condition():
                return
        except SpendstreamError:
            pass  # a part of it is on its way back
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def booked(embedded: Embedded) -> int:
    return int(str(ASKING.rows(embedded._writer(), "SELECT sum(received) FROM block_receipts")[0][0]))


def assert_exact(store: StoreClient, events: int) -> None:
    """Each of t0 ... is in the ledger once, and in every rollup once."""
    assert store.rows("SELECT count(), uniqExact(event_id) FROM ledger") == [(events, events)]
    for rollup in ROLLUPS:
        assert store.rows(f"SELECT sum(events), toFloat64(sum(list_cost)) FROM {rollup}") == [(events, 2.5 * events)]


def turns(embedded: Embedded) -> int:
    assert embedded._replacement is not None
    return embedded._replacement.replaced


def test_an_empty_broker_takes_over_from_a_full_one(embedded: Embedded, send: Sender) -> None:
    """At the bound the next broker starts; the old one goes once it is booked, with its memory; booking goes on at
    offset 0 of a topic with another id; three times in a row."""
    pids: set[int | None] = set()
    before = turns(embedded)
    for turn in range(before + 1, before + 4):
        assert embedded._broker is not None
        pids.add(embedded._broker.pid)
        send(BOUND + 150)
        watch_until(embedded, lambda turn=turn: turns(embedded) == turn, "turned")  # type: ignore[misc]
        send(7)
        watch_until(embedded, lambda: booked(embedded) == send.sent, "booked")
    assert embedded._broker is not None
    assert embedded._broker.pid not in pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids), "full brokers are stopped"
    with embedded._open_store() as store:
        assert_exact(store, send.sent)
        incarnations = store.rows(
            "SELECT topic_id, min(first_offset) FROM block_receipts WHERE topic = 'usage.events.v1' GROUP BY topic_id"
        )
    assert len(incarnations) >= 4
    assert {first for _, first in incarnations} == {0}


def test_producers_are_held_out_while_nothing_can_be_booked(embedded: Embedded, send: Sender) -> None:
    """The worker stands still: the second broker fills too, then producers are refused, and /readyz, the metrics and
    the log say why. When the worker goes on, everything is booked and producers come in again."""
    assert embedded._replacement is not None
    assert embedded._workers["worker"].pid is not None
    before = turns(embedded)
    os.kill(embedded._workers["worker"].pid, signal.SIGSTOP)
    try:
        send(BOUND + 150)
        watch_until(
            embedded, lambda: embedded._replacement and embedded._replacement.pending, "an empty broker took over"
        )
        send(BOUND + 150)
        watch_until(embedded, lambda: embedded._replacement and embedded._replacement.trouble, "producers are held out")
        reason = embedded.not_ready()
        assert reason is not None
        assert "producers are held out" in reason
        assert b'spendstream_embedded_producers_held{process="supervisor"} 1.0' in metrics(embedded)
        assert delivery_error(embedded, timeout_s=1.5) == KafkaError._MSG_TIMED_OUT
    finally:
        os.kill(embedded._workers["worker"].pid, signal.SIGCONT)
    watch_until(embedded, lambda: turns(embedded) > before, "the first one is booked")
    watch_until(embedded, lambda: embedded.not_ready() is None, "ready again")
    assert b'spendstream_embedded_producers_held{process="supervisor"} 0.0' in metrics(embedded)
    send(10)
    watch_until(embedded, lambda: booked(embedded) == send.sent, "everything booked")
    with embedded._open_store() as store:
        assert_exact(store, send.sent)


def test_a_worker_that_stands_still_for_long_is_replaced(
    embedded: Embedded, send: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not exit, and store and broker answer: a replacement must not wait for it for ever."""
    monkeypatch.setattr(supervisor, "STALL_RESTART_S", 3.0)
    assert embedded._workers["worker"].pid is not None
    killed, before = embedded._workers["worker"].pid, turns(embedded)
    os.kill(killed, signal.SIGSTOP)
    send(BOUND + 150)
    watch_until(embedded, lambda: embedded._workers["worker"].pid != killed, "replaced")
    monkeypatch.undo()
    watch_until(embedded, lambda: turns(embedded) > before and booked(embedded) == send.sent, "booked")
    with embedded._open_store() as store:
        assert_exact(store, send.sent)


def metrics(embedded: Embedded) -> bytes:
    assert embedded.instance is not None
    with urllib.request.urlopen(f"{embedded.instance.http}/metrics", timeout=10) as response:
        return bytes(response.read())


def delivery_error(embedded: Embedded, timeout_s: float) -> int | None:
    """What becomes of a record that is sent now; nothing of it arrives later."""
    assert embedded.instance is not None
    errors: list[int] = []
    producer = Producer(
        {
            "bootstrap.servers": embedded.instance.kafka,
            "log_level": 0,
            "message.timeout.ms": round(timeout_s * 1000),
        }
    )
    value = json.dumps(usage_event("refused")).encode()
    producer.produce("usage.events.v1", value, on_delivery=lambda error, _: errors.append(error.code() if error else 0))
    assert producer.flush(timeout_s + 10) == 0
    return errors[0]


@pytest.mark.parametrize("part", ["store", "worker", "next broker"])
def test_what_dies_during_a_turn_is_replaced_and_the_turn_ends(embedded: Embedded, send: Sender, part: str) -> None:
    """kill -9 of the store, the worker, or the broker that has just taken over and holds nothing yet."""
    assert embedded._workers["worker"].pid is not None
    assert embedded._store is not None
    assert embedded._replacement is not None
    before = turns(embedded)
    os.kill(embedded._workers["worker"].pid, signal.SIGSTOP)  # so that the replacement does not end before the kill
    send(BOUND + 150)
    watch_until(embedded, lambda: embedded._replacement and embedded._replacement.pending, "an empty broker took over")
    assert embedded._replacement._next is not None
    next_pid = embedded._replacement._next.pid
    victim = {"store": embedded._store.pid, "worker": embedded._workers["worker"].pid, "next broker": next_pid}[part]
    assert victim is not None
    process = ProcessId.of(victim)
    assert process is not None
    os.kill(victim, signal.SIGKILL)
    until(lambda: not process.runs(), 10, "killed")
    if part != "worker":
        os.kill(embedded._workers["worker"].pid, signal.SIGCONT)
    watch_until(embedded, lambda: turns(embedded) > before, "turned")
    send(50)
    watch_until(embedded, lambda: booked(embedded) == send.sent, "booked")
    with embedded._open_store() as store:
        assert_exact(store, send.sent)


def test_a_stop_during_a_turn_books_both_brokers(tmp_path: Path) -> None:
    """Ctrl-C while a full broker is not booked yet and the next one holds records already: both are booked first."""
    send = Sender(tmp_path / "data")
    with running(tmp_path / "data") as embedded:
        assert embedded._workers["worker"].pid is not None
        os.kill(embedded._workers["worker"].pid, signal.SIGSTOP)
        send(BOUND + 150)
        watch_until(
            embedded, lambda: embedded._replacement and embedded._replacement.pending, "an empty broker took over"
        )
        send(30)
        os.kill(embedded._workers["worker"].pid, signal.SIGCONT)
    with running(tmp_path / "data") as again, again._open_store() as store:
        assert_exact(store, send.sent)


def test_a_command_that_waits_for_its_events_finds_them_across_turns(
    embedded: Embedded, send: Sender, folder: Path
) -> None:
    """`emit --wait` while brokers take over from each other: offsets begin at 0 again, and it still tells what became
    of every event."""
    number, before = 4 * BOUND, turns(embedded)
    with subprocess.Popen(
        [*COMMAND, "emit", "--wait", "--json", "--data-dir", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as emit:
        assert emit.stdin is not None
        lines = [json.dumps(usage_event(f"t{index}")) + "\n" for index in range(send.sent, send.sent + number)]
        emit.stdin.writelines(lines[: number // 2])
        emit.stdin.flush()
        watch_until(embedded, lambda: turns(embedded) > before, "turned while it sends")
        emit.stdin.writelines(lines[number // 2 :])
        emit.stdin.close()
        watch_until(embedded, lambda: emit.poll() is not None, "the command is done")
        assert emit.stdout is not None
        summary = json.loads(emit.stdout.read())
    assert emit.returncode == 0
    assert summary["sent"] == number == summary["booked"] + summary["duplicates"]
    ours = f"toUInt64(substring(event_id, 2)) >= {send.sent}"
    send.sent += number
    with embedded._open_store() as store:
        ((incarnations,),) = store.rows(f"SELECT uniqExact(topic_id) FROM ledger WHERE {ours}")
        assert int(str(incarnations)) >= 2, "there was a turn in between"
        assert_exact(store, send.sent)


def test_a_producer_with_an_old_id_is_not_mistaken_for_another(tmp_path: Path) -> None:
    """An idempotent producer that outlives its broker keeps id and sequence numbers. The next broker must not give
    the id to somebody else: it would take the one's records for repetitions of the other's, and drop them."""
    ids = ProducerIds(tmp_path / "next-producer-id")
    port = free_port()

    def start() -> TansuBroker:
        broker = TansuBroker(port, tmp_path / "broker")
        broker.start()
        ids.skip_used(broker.port)
        ensure_topics(embedded_kafka(broker.address), [TopicSpec("t", 1, 1, {})])
        return broker

    def produce(producer: Producer, numbers: range) -> list[int]:
        """The numbers that were acknowledged."""
        acknowledged: list[int] = []

        def report(error: KafkaError | None, message: Message) -> None:
            if error is None:
                acknowledged.append(int(message.value() or b""))

        for number in numbers:
            try:
                producer.produce("t", str(number), on_delivery=report)
                producer.flush(5)
            except KafkaException:
                break  # a fatal error: the producer knows that it has to begin anew
        return acknowledged

    settings = {
        "bootstrap.servers": f"127.0.0.1:{port}",
        "enable.idempotence": True,
        "log_level": 0,
        "message.timeout.ms": 3000,
    }
    first = start()
    old = Producer(settings)
    assert produce(old, range(5)) == [0, 1, 2, 3, 4]
    ids.note_used(first.port)
    first.stop()
    second = start()
    try:
        assert produce(Producer(settings), range(8)) == list(range(8))
        assert produce(old, range(5, 8)) == []
    finally:
        second.stop()


def test_memory_stays_bounded_over_many_turns(tmp_path: Path) -> None:
    """`spendstream up` as users start it, a service that publishes through the SDK, a replacement every few seconds:
    ledger, rollups and outcomes equal the oracle in events and money, by team."""
    environment = {"SPENDSTREAM_EMBEDDED_BROKER_MAX_RECORDS": "1500"}
    report = soak(20.0, 300.0, environment, tmp_path, sample_s=1.0)
    assert report.differences == []
    assert report.events > 3_000  # less than the rate asks for where the machine is busy
    assert report.outcomes > 50
    assert report.turns >= 2, report
    assert {"broker", "store", "worker", "supervisor"} <= set(report.memory_mib)


def test_a_broker_that_a_background_watch_started_lives_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command with its own work (the demo) watches from a thread: replacements happen there, and what that thread
    started is stopped in order, booked to its end."""
    monkeypatch.setenv("SPENDSTREAM_EMBEDDED_BROKER_MAX_RECORDS", str(BOUND))
    send = Sender(tmp_path / "data")
    embedded = Embedded(prepared(tmp_path / "data"), Ports(0, 0, 0))
    embedded.start(lambda _: None)
    with watched(embedded):
        send(BOUND + 150)
        until(lambda: turns(embedded) == 1, 90, "turned")
        send(40)
    with running(tmp_path / "data") as again, again._open_store() as store:
        assert_exact(store, send.sent)

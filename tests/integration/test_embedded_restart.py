"""After kill -9 of the supervisor, or of everything, `spendstream up` starts again on the same folder and ports."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import UsageEvent
from stream_jobs.embedded.instance import INSTANCE_FILE
from stream_jobs.embedded.workers import PROCESSES
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.processes import ProcessId
from tests.benchmarks.soak import process_tree
from tests.integration.pipeline import BOOK_TIMEOUT_S, Pipeline, until, usage_event


class FixedPorts(Pipeline):
    """The same ports at every start, as with the defaults of the command."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.ports = {option: free_port() for option in ("--kafka-port", "--clickhouse-port", "--http-port")}
        self.sent = 0
        self.environment = {
            **self.environment,
            "SPENDSTREAM_EMBEDDED_LOG_MAX_MIB": "1",
            "SPENDSTREAM_EMBEDDED_LOG_FILES": "2",
        }

    def _ports(self) -> list[str]:
        return [text for option, port in self.ports.items() for text in (option, str(port))]

    def running(self) -> list[ProcessId]:
        """The supervisor and its children."""
        return [process for pid in process_tree(self.pid) if (process := ProcessId.of(pid)) is not None]

    def send_more(self, number: int) -> None:
        """Events that nobody has sent before."""
        self.send_events(*(usage_event(f"sent{index}") for index in range(self.sent, self.sent + number)))
        self.sent += number

    def assert_booked_once(self) -> None:
        """All that was sent to it since it first started."""
        booked = "SELECT sum(booked) FROM block_receipts"
        until(lambda: self.value(booked) >= self.sent, BOOK_TIMEOUT_S, "booked")
        assert self.rows("SELECT count(), uniqExact(event_id) FROM ledger") == [(self.sent, self.sent)]
        for rollup in ("cost_1m", "cost_1h", "cost_1d", "operations_1d"):
            assert self.value(f"SELECT sum(events) FROM {rollup}") == self.sent


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FixedPorts]:
    pipeline = FixedPorts(tmp_path_factory.mktemp("restarted") / "data")
    yield pipeline
    if not pipeline.exited():
        pipeline.stop()


@pytest.fixture
def pipeline(shared: FixedPorts) -> FixedPorts:
    """Running. One for all tests, each of which goes on after what was killed before it: a start is dear."""
    if shared.exited():
        shared.start()
    until(shared.ready, 60, "ready")
    return shared


@pytest.mark.slow
@pytest.mark.parametrize("who", ["supervisor", "everybody"])
def test_a_restart_right_after_kill_9_needs_no_hand(pipeline: FixedPorts, who: str) -> None:
    """Lock, ports, instance file and children are no obstacle, at once; what was booked is there, and a service that
    went on publishing delivers what it kept."""
    pipeline.send_more(500)
    pipeline.assert_booked_once()
    running = pipeline.running()
    assert len(running) == 4 + len(PROCESSES), "supervisor, store, broker, the workers and their server"
    config = ProducerConfig(
        bootstrap_servers=f"127.0.0.1:{pipeline.ports['--kafka-port']}",
        source="svc",
        spool_dir=pipeline.data_dir.parent / f"spool-{who}",
    )
    with UsageProducer(config) as producer:
        if who == "everybody":
            for process in running[1:]:
                os.kill(process.pid, signal.SIGKILL)
        pipeline.kill()
        for number in range(100):
            assert producer.emit(UsageEvent.model_validate(usage_event(f"meanwhile-{who}{number}")))
        assert (pipeline.data_dir / INSTANCE_FILE).exists(), "left behind"
        pipeline.start()
        assert not any(process.runs() for process in running)
        assert producer.flush(60) == 0
    pipeline.sent += 100
    pipeline.send_more(500)
    pipeline.assert_booked_once()


@pytest.mark.slow
def test_a_child_that_stands_still_after_its_supervisor_was_killed_is_no_obstacle(pipeline: FixedPorts) -> None:
    """A store that does not answer (here it is stopped, as in a debugger) holds its folder and its port: the next start
    kills it."""
    pipeline.send_more(500)
    pipeline.assert_booked_once()
    store = int((pipeline.data_dir / "run" / "store").read_text().split()[0])
    os.kill(store, signal.SIGSTOP)
    pipeline.kill()
    assert ProcessId.of(store) is not None
    pipeline.start()
    pipeline.send_more(500)
    pipeline.assert_booked_once()


@pytest.mark.slow
@pytest.mark.parametrize("child", ["store", "worker"])
def test_a_child_that_is_killed_is_replaced(pipeline: FixedPorts, child: str) -> None:
    """kill -9 of one child while events flow: the supervisor starts it again, and each event is booked once."""
    pid = int((pipeline.data_dir / "run" / child).read_text().split()[0])
    pipeline.send_more(1000)
    os.kill(pid, signal.SIGKILL)
    pipeline.send_more(1000)
    until(pipeline.ready, 60, "ready again")
    pipeline.assert_booked_once()
    assert int((pipeline.data_dir / "run" / child).read_text().split()[0]) != pid


@pytest.mark.slow
def test_logs_are_bounded_while_it_runs(pipeline: FixedPorts) -> None:
    """A log of a child that has reached its bound is begun anew, and one older file is kept."""
    log = pipeline.data_dir / "logs" / "worker.log"
    for _ in range(3):
        with log.open("ab") as file:
            file.write(b"x" * 2**20)  # as if the worker had written it
        until(lambda: log.stat().st_size < 2**20, 20, "begun anew")
    assert sorted(path.name for path in log.parent.glob("worker.log*")) == ["worker.log", "worker.log.1"]

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
from tests.integration.pipeline import Pipeline, until, usage_event


class FixedPorts(Pipeline):
    """The same ports at every start, as with the defaults of the command."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.ports = {option: free_port() for option in ("--kafka-port", "--clickhouse-port", "--http-port")}

    def _ports(self) -> list[str]:
        return [text for option, port in self.ports.items() for text in (option, str(port))]

    def running(self) -> list[ProcessId]:
        """The supervisor and its children."""
        return [process for pid in process_tree(self.pid) if (process := ProcessId.of(pid)) is not None]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[FixedPorts]:
    pipeline = FixedPorts(tmp_path / "data")
    pipeline.start()
    yield pipeline
    if not pipeline.exited():
        pipeline.stop()


def send_and_wait(pipeline: Pipeline, prefix: str, total: int) -> None:
    pipeline.send_events(*(usage_event(f"{prefix}{number}") for number in range(500)))
    pipeline.wait_received(total)


def assert_booked_once(pipeline: Pipeline, events: int) -> None:
    assert pipeline.rows("SELECT count(), uniqExact(event_id) FROM ledger") == [(events, events)]
    for rollup in ("cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        assert pipeline.value(f"SELECT sum(events) FROM {rollup}") == events


@pytest.mark.slow
@pytest.mark.parametrize("who", ["supervisor", "everybody"])
def test_a_restart_right_after_kill_9_needs_no_hand(pipeline: FixedPorts, who: str) -> None:
    """Lock, ports, instance file and children are no obstacle, at once; what was booked is there, and a service that
    went on publishing delivers what it kept."""
    send_and_wait(pipeline, "before", 500)
    running = pipeline.running()
    assert len(running) == 3 + len(PROCESSES), "supervisor, store, broker and the workers"
    config = ProducerConfig(
        bootstrap_servers=f"127.0.0.1:{pipeline.ports['--kafka-port']}",
        source="svc",
        spool_dir=pipeline.data_dir.parent / "spool",
    )
    with UsageProducer(config) as producer:
        if who == "everybody":
            for process in running[1:]:
                os.kill(process.pid, signal.SIGKILL)
        pipeline.kill()
        for number in range(100):
            assert producer.emit(UsageEvent.model_validate(usage_event(f"meanwhile{number}")))
        assert (pipeline.data_dir / INSTANCE_FILE).exists(), "left behind"
        pipeline.start()
        assert not any(process.runs() for process in running)
        assert producer.flush(60) == 0
    send_and_wait(pipeline, "after", 1100)
    assert_booked_once(pipeline, 1100)


@pytest.mark.slow
def test_a_child_that_stands_still_after_its_supervisor_was_killed_is_no_obstacle(pipeline: FixedPorts) -> None:
    """A store that does not answer (here it is stopped, as in a debugger) holds its folder and its port: the next start
    kills it."""
    send_and_wait(pipeline, "before", 500)
    store = int((pipeline.data_dir / "run" / "store").read_text().split()[0])
    os.kill(store, signal.SIGSTOP)
    pipeline.kill()
    assert ProcessId.of(store) is not None
    pipeline.start()
    send_and_wait(pipeline, "after", 1000)
    assert_booked_once(pipeline, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("child", ["store", "worker"])
def test_a_child_that_is_killed_is_replaced(pipeline: FixedPorts, child: str) -> None:
    """kill -9 of one child while events flow: the supervisor starts it again, and each event is booked once."""
    pid = int((pipeline.data_dir / "run" / child).read_text().split()[0])
    pipeline.send_events(*(usage_event(f"before{number}") for number in range(1000)))
    os.kill(pid, signal.SIGKILL)
    pipeline.send_events(*(usage_event(f"after{number}") for number in range(1000)))
    until(pipeline.ready, 60, "ready again")
    pipeline.wait_received(2000)
    assert_booked_once(pipeline, 2000)
    assert int((pipeline.data_dir / "run" / child).read_text().split()[0]) != pid


@pytest.mark.slow
def test_logs_are_bounded_while_it_runs(tmp_path: Path) -> None:
    """A log of a child that has reached its bound is begun anew, and one older file is kept."""
    pipeline = Pipeline(tmp_path / "data")
    pipeline.environment = {
        **pipeline.environment,
        "SPENDSTREAM_EMBEDDED_LOG_MAX_MIB": "1",
        "SPENDSTREAM_EMBEDDED_LOG_FILES": "2",
    }
    pipeline.start()
    try:
        log = pipeline.data_dir / "logs" / "worker.log"
        for _ in range(3):
            with log.open("ab") as file:
                file.write(b"x" * 2**20)  # as if the worker had written it
            until(lambda: log.stat().st_size < 2**20, 20, "begun anew")
        assert sorted(path.name for path in log.parent.glob("worker.log*")) == ["worker.log", "worker.log.1"]
    finally:
        pipeline.stop()

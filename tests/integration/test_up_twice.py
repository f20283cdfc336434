"""Two `spendstream up` of one user, started at the same moment, with no port named."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spendstream import ProducerConfig, UsageProducer
from spendstream_schemas import UsageEvent
from stream_jobs.embedded.instance import Instance, embedded_clickhouse, read_instance
from stream_jobs.embedded.workers import PROCESSES
from stream_jobs.runtime.ports import CLICKHOUSE_PORT, HTTP_PORT, KAFKA_PORT, port_trouble
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.store.client import StoreClient
from tests.benchmarks.soak import process_tree
from tests.integration.pipeline import COMMAND, START_TIMEOUT_S, STOP_TIMEOUT_S, until, usage_event

pytestmark = pytest.mark.slow

USUAL = (KAFKA_PORT, CLICKHOUSE_PORT, HTTP_PORT)
FREE_BEFORE: list[int] = []
ASKING = (["status"], ["budgets", "list"], ["conservation"], ["check-config"])
"""One of each way in which commands look for an instance; `query` and `emit` are asked below."""


class Up:
    """One of them, in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir()
        self.folder, self.environment = folder, environment
        self.output_file = folder / "output"
        with self.output_file.open("w") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "up"], cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    def output(self) -> str:
        return " ".join(self.output_file.read_text().split())

    def instance(self) -> Instance:
        found = read_instance(self.folder / ".spendstream")
        assert found is not None, self.output()
        return found

    def wait(self) -> None:
        until(lambda: self.process.poll() is not None or "Ctrl-C stops it" in self.output(), START_TIMEOUT_S, "up")
        assert self.process.poll() is None, self.output()
        # Whoever was first as well: it cannot know that others follow.
        assert f"SPENDSTREAM_DATA_DIR={self.instance().data_dir}, if others run" in self.output()

    def ports(self) -> tuple[int, ...]:
        found = self.instance()
        return tuple(int(address.rpartition(":")[2]) for address in (found.kafka, found.clickhouse_http, found.http))

    def booked(self) -> object:
        with StoreClient(embedded_clickhouse(self.instance(), writable=False)) as store:
            return store.rows("SELECT count() FROM ledger")[0][0]

    def run(
        self, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            cwd=cwd or self.folder,
            env=env or self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user with a registry of their own."""
    home = str(tmp_path_factory.mktemp("home"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")}
    return kept | {"XDG_RUNTIME_DIR": home, "XDG_STATE_HOME": home, "HOME": home}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[tuple[Up, Up]]:
    """The first is the one with the usual Kafka port, where that was free."""
    parent = tmp_path_factory.mktemp("up")
    FREE_BEFORE.extend(port for port in USUAL if port_trouble(port) is None)
    ups = (Up(parent / "a", environment), Up(parent / "b", environment))
    try:
        for up in ups:
            up.wait()
        yield ups if ups[1].ports()[0] != KAFKA_PORT else (ups[1], ups[0])
    finally:
        for up in ups:
            if up.process.poll() is None:
                up.process.send_signal(signal.SIGINT)
                up.process.wait(STOP_TIMEOUT_S)


def test_both_run_on_ports_of_their_own_and_say_which(both: tuple[Up, Up]) -> None:
    """Those that are not the usual ones are told with who has these."""
    first, second = both
    assert len({*first.ports(), *second.ports()}) == 6
    for usual in FREE_BEFORE:
        assert len([up for up in both if usual in up.ports()]) == 1, "it was free, so one of them has it"
    for up in both:
        moved = [(usual, port) for usual, port in zip(USUAL, up.ports(), strict=True) if usual != port]
        for usual, port in moved:
            assert re.search(rf"port {usual} is taken by .*?: \S.*? is on port {port} ", up.output()), up.output()
    assert "is taken by the spendstream on " in second.output()
    assert f"SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS={second.instance().kafka}" in second.output()


def test_each_books_what_is_sent_to_it_and_is_found_from_its_folder(both: tuple[Up, Up]) -> None:
    """Without an option, by the folder's name and by the environment; and by a service that was told the address."""
    for up in both:
        name = up.folder.name
        event = usage_event(f"emitted-{name}", source=name)
        sent = up.run("emit", "--wait", "--json", stdin=UsageEvent.model_validate(event).model_dump_json())
        assert sent.returncode == 0, sent.stdout + sent.stderr
        told = {"SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": up.instance().kafka, "SPENDSTREAM_SOURCE": name}
        with UsageProducer(ProducerConfig.from_env(told, spool_dir=None)) as producer:
            assert producer.emit(UsageEvent.model_validate(usage_event(f"service-{name}", source=name)))
            assert producer.flush(30) == 0
    elsewhere = both[0].folder.parent
    query = ("query", "--json", "SELECT source, count() AS n FROM ledger GROUP BY source")
    for up in both:
        wanted = f'{{"source":"{up.folder.name}","n":2}}'
        data_dir = f"{up.folder}/.spendstream"
        until(lambda up=up: up.booked() == 2, 60, "both are booked")
        assert up.run(*query).stdout.strip() == wanted
        assert up.run(*query, "--data-dir", data_dir, cwd=elsewhere).stdout.strip() == wanted
        said = up.environment | {"SPENDSTREAM_DATA_DIR": data_dir}
        assert up.run(*query, cwd=elsewhere, env=said).stdout.strip() == wanted


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_a_command_finds_its_own_and_elsewhere_asks_which(both: tuple[Up, Up], command: list[str]) -> None:
    """From the folder of one it answers; from none of theirs it says which there are, and does nothing."""
    with ThreadPoolExecutor(3) as side_by_side:
        folders = [up.folder for up in both] + [both[0].folder.parent]
        *answers, asked = side_by_side.map(lambda folder: both[0].run(*command, cwd=folder), folders)
    for up, answered in zip(both, answers, strict=True):
        assert answered.returncode == 0, answered.stdout + answered.stderr
        if command == ["status"]:
            assert up.instance().kafka in answered.stdout
    assert asked.returncode == 2
    said = "".join(asked.stderr.split())
    assert "severalinstancesrun;saywhichone" in said
    for up in both:
        assert f"{up.folder}/.spendstream(Kafka{up.instance().kafka})" in said


def test_a_port_that_was_asked_for_is_not_replaced(both: tuple[Up, Up], tmp_path: Path) -> None:
    """The error says whose it is, and nothing of the third is left."""
    for option, port in zip(("--kafka-port", "--clickhouse-port", "--http-port"), both[1].ports(), strict=True):
        refused = both[1].run("up", "--data-dir", str(tmp_path / "third"), option, str(port))
        said = " ".join(refused.stderr.split())
        assert refused.returncode == 2
        pid = both[1].process.pid
        assert f"port {port} is taken by the spendstream on {both[1].folder}/.spendstream (process {pid})" in said
        assert f"choose another with {option}" in said
        assert read_instance(tmp_path / "third") is None


def test_both_stop_and_the_usual_ports_are_free_again(both: tuple[Up, Up]) -> None:
    """Nothing is left running; the last, because it stops them."""
    had = {port for up in both for port in up.ports()}
    processes = [ProcessId.of(pid) for up in both for pid in process_tree(up.process.pid)]
    # Supervisor, broker and store beside the jobs; perhaps also who lists prices, for as long as that takes.
    assert len(processes) >= 2 * (3 + len(PROCESSES))
    for up in both:
        up.process.send_signal(signal.SIGINT)
    for up in both:
        assert up.process.wait(STOP_TIMEOUT_S) == 0, up.output()
    assert not any(process.runs() for process in processes if process)
    assert [port_trouble(port) for port in had] == [None] * 6

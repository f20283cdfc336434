"""What the children of frameworks emitted arrives, though they end with `os._exit`, which no `atexit` sees."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.ports import free_port
from tests.unit.producers.children import CHILDREN, WAYS, WITHOUT_PARENT
from tests.unit.producers.support import create_topics, ids_on

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COUNT = 100
PATIENCE_S = 60.0
AT_ONCE = 4
"""Each of them waits most of its time, half a second for every client's first message."""


class Services:
    """One for each way, on one broker, several at once."""

    def __init__(self, folder: Path, broker: TansuBroker, pool: ThreadPoolExecutor) -> None:
        self.broker = broker
        self.spools = {way: folder / way / "spool" for way in WAYS}
        self._ended = {way: pool.submit(self._run, way) for way in WAYS}

    def _run(self, way: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "bootstrap_servers": self.broker.address,
            "source": "svc",
            "spool_dir": str(self.spools[way]),
        }
        service = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.producers.children", json.dumps(settings), way, str(COUNT)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = service.communicate(timeout=PATIENCE_S)
        finally:
            # Its children, too: a pool's worker whose pool was killed waits for ever for the lock that the pool held.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)
            service.wait()
        return subprocess.CompletedProcess(service.args, service.returncode, output, errors)

    def ended(self, way: str) -> subprocess.CompletedProcess[str]:
        future: Future[subprocess.CompletedProcess[str]] = self._ended[way]
        return future.result()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("children")
    broker = TansuBroker(free_port(), folder / "broker")
    broker.start()
    try:
        create_topics(broker.address)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield Services(folder, broker, pool)
            pool.shutdown(cancel_futures=True)
    finally:
        broker.stop()


@pytest.mark.parametrize("way", WAYS)
def test_a_child_delivers_before_it_ends(way: str, services: Services) -> None:
    """Forked, spawned, pooled, terminated by its pool: every event that a child's `emit` accepted arrives, once;
    those of the parent, too, though a fork may make their client send one again."""
    done = services.ended(way)
    assert (done.returncode, done.stdout) == (0, "done"), done.stderr
    parent = set() if way in WITHOUT_PARENT else {f"{way}-parent-0"}
    if way == "process-holding":
        parent |= {f"{way}-parent-held-{number}" for number in range(2)}
    expected = {f"{way}-{child}-{number}" for child in range(CHILDREN) for number in range(COUNT)} | parent
    own = re.compile(rf"{way}-(\d+|parent|parent-held)-\d+")
    found = [one for one in ids_on(services.broker.address) if own.fullmatch(one)]
    assert sorted(set(found)) == sorted(expected)
    # What a client had sent that was given up for a fork (on a machine that takes a second for it) may come twice.
    assert [one for one in set(found) - parent if found.count(one) > 1] == []
    assert list(services.spools[way].rglob("*.seg")) == []


def test_nothing_else_arrives(services: Services) -> None:
    """Each id on the topic begins with the way of a service and is one that it emitted."""
    for way in WAYS:
        assert services.ended(way).returncode == 0
    emitted = re.compile(rf"({'|'.join(WAYS)})-(\d+|parent|parent-held)-\d+")
    assert [one for one in ids_on(services.broker.address) if not emitted.fullmatch(one)] == []

"""The supervisor replaces what dies: store, broker and worker as real processes, killed with -9."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError, SpendstreamError
from stream_jobs.embedded import supervisor
from stream_jobs.embedded.supervisor import Embedded, Ports
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import StoreClient
from tests.integration.asking import Asking
from tests.integration.pipeline import Pipeline, usage_event
from tests.store_server import prepared

ASKING = Asking()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched") / "data"


@pytest.fixture(scope="module")
def embedded(folder: Path) -> Iterator[Embedded]:
    embedded = Embedded(prepared(folder), Ports(0, 0, 0))
    embedded.start(lambda _: None)
    yield embedded
    ASKING.close()
    embedded.stop()


def watch_until(embedded: Embedded, condition: Callable[[], object], what: str) -> None:
    """As `spendstream up` does, until it holds."""
    deadline = time.monotonic() + 60
    while True:
        try:
            embedded.watch()
            if condition():
                return
        except SpendstreamError:
            pass  # store or broker are on their way back
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def value(embedded: Embedded, sql: str) -> int:
    return int(str(ASKING.rows(embedded._writer(), sql)[0][0]))


@pytest.mark.slow
def test_the_store_is_replaced_while_events_flow(embedded: Embedded, folder: Path) -> None:
    """kill -9 of the store: it comes back on its folder, and each event is in the ledger and the rollups once."""
    sender = Pipeline(folder)
    sender.send_events(*(usage_event(f"s{number}") for number in range(1500)))
    assert embedded._store is not None
    killed = embedded._store.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    sender.send_events(*(usage_event(f"s{number}") for number in range(1500, 3000)))
    watch_until(
        embedded, lambda: value(embedded, "SELECT sum(received) FROM block_receipts") >= 3000, "everything booked"
    )
    assert embedded._store.pid != killed
    with StoreClient(embedded._writer()) as store:
        for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
            assert store.rows(f"SELECT sum(events), sum(list_cost) FROM {table}") == [(3000, Decimal(7500))], table
    watch_until(embedded, lambda: embedded.not_ready() is None, "ready again")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["broker", "worker"])
def test_a_part_that_dies_is_replaced_and_the_pipeline_books_again(embedded: Embedded, folder: Path, part: str) -> None:
    """kill -9 of the broker (its group and offsets go with it, so the worker starts anew) or of the worker."""
    before = value(embedded, "SELECT sum(received) FROM block_receipts")
    child = embedded._broker if part == "broker" else embedded._workers["worker"]
    assert child is not None
    assert child.pid is not None
    killed = child.pid
    os.kill(killed, signal.SIGKILL)
    while child.running() if part == "broker" else child.exit_code() is None:  # type: ignore[union-attr]
        time.sleep(0.01)
    assert embedded.not_ready() is not None, "the gap must be seen"
    watch_until(embedded, lambda: child.pid not in (None, killed), "started again")
    Pipeline(folder).send_events(usage_event(f"after-{part}"))
    watch_until(
        embedded, lambda: value(embedded, "SELECT sum(received) FROM block_receipts") == before + 1, "booked again"
    )
    assert value(embedded, f"SELECT count() FROM ledger WHERE event_id = 'after-{part}'") == 1
    watch_until(embedded, lambda: embedded.not_ready() is None, "ready again")


def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not become ready in time is stopped, and the folder can be used again at once."""
    monkeypatch.setattr(supervisor, "START_TIMEOUT_S", 0.01)
    failing = Embedded(tmp_path, Ports(0, 0, 0))
    with pytest.raises(SpendstreamError, match="store was not ready"):
        failing.start(lambda _: None)
    assert failing._store is not None
    assert failing._store.pid is None
    failing._dir.open()
    failing._dir.close()


def test_three_services_need_three_ports(tmp_path: Path) -> None:
    """The same port given twice is found before anything runs."""
    port = free_port()
    with pytest.raises(ConfigError, match="three different ports"):
        Embedded(tmp_path, Ports(port, port, 0)).start(lambda _: None)

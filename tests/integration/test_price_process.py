"""The process that writes the prices of a book: beside the worker, and never without it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.ledger.price_process import PriceRows
from stream_jobs.ledger.prices import has_prices, without_prices
from stream_jobs.ledger.versions import record_versions
from stream_jobs.pricing.book import PriceBook
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.retry import wait_until
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES
from tests.store_server import StoreProcess

WORKER = """
import sys, time
from pathlib import Path
from stream_jobs.ledger.price_process import PriceRows
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings
settings = ClickHouseSettings(port=int(sys.argv[1]), user="spendstream", password=Path(sys.argv[2]).read_text().strip())
rows = PriceRows(lambda: StoreClient(settings), sys.argv[3])
rows.tick()
print(rows._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def book(process: StoreProcess) -> PriceBook:
    book = PriceBook.load()
    with StoreClient(process.settings) as store:
        record_versions(store, book, AttributionRules.load(None), None)
    return book


@pytest.fixture
def rows(process: StoreProcess, book: PriceBook) -> Iterator[PriceRows]:
    rows = PriceRows(lambda: StoreClient(process.settings), book.version)
    yield rows
    rows.close()


def started(rows: PriceRows) -> ProcessId:
    rows.tick()
    assert rows._process is not None
    found = ProcessId.of(rows._process.pid)
    assert found is not None
    return found


def test_the_end_of_a_worker_ends_it_at_once(process: StoreProcess, book: PriceBook, rows: PriceRows) -> None:
    """It gives way to all others, knows no secret of the environment, and has written nothing when it is ended."""
    child = started(rows)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == 19
    password = process.settings.secret().encode()
    for name in ("cmdline", "environ"):
        said = Path(f"/proc/{child.pid}/{name}").read_bytes()
        assert password not in said
        assert b"SPENDSTREAM_" not in said
    rows.tick()
    assert child.runs(), "one at a time"
    rows.version = "another"
    rows.tick()
    assert child.runs(), "what was in use is written too"
    began = time.monotonic()
    rows.close()
    rows.close()
    assert not child.runs()
    assert time.monotonic() - began < 5
    with StoreClient(process.settings) as store:
        assert not has_prices(store, book.version)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_a_worker_that_is_killed(process: StoreProcess, book: PriceBook, end: signal.Signals) -> None:
    """Nobody is left to end it: it reads the end of its stdin."""
    arguments = [str(process.port), str(process.folder / "credentials"), book.version]
    with subprocess.Popen([sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        child = ProcessId.of(int(worker.stdout.readline()))
        assert child is not None
        worker.send_signal(end)
        worker.wait()
    assert wait_until(lambda: not child.runs(), 30)


def test_what_cannot_be_written_is_left_alone_for_a_while(
    book: PriceBook, rows: PriceRows, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A version that no worker recorded: it says so, and is not tried again with the next tick; another one is."""
    rows.version = "never recorded"
    child = started(rows)
    assert wait_until(lambda: not child.runs(), 60)
    assert "cannot write the prices of price book never recorded" in capfd.readouterr().err
    for _ in range(3):
        rows.tick()
        assert rows._process is None or rows._process.args[-1] == book.version  # type: ignore[index]
    assert rows._process is not None
    assert [record.message for record in caplog.records if "ended with code 1" in record.message]


def test_what_was_in_use_for_a_moment_is_written_too(process: StoreProcess, book: PriceBook, tmp_path: Path) -> None:
    """Files that are saved one after the other make books of a few seconds each, which entries refer to: the latest
    first, behind the one in use."""
    folder = tmp_path / "rate_cards"
    folder.mkdir()
    books = [book]
    with StoreClient(process.settings) as store:
        for price in (1, 2, 3):
            (folder / "mine.yaml").write_text(
                "{provider: aws, source: s, checked: 2026-11-01, "
                f"skus: [{{sku: reads, unit: reads, usd_per_unit: {price}}}]}}"
            )
            books.append(PriceBook.load(tmp_path))
            record_versions(store, books[-1], AttributionRules.load(None), tmp_path)
        versions = [one.version for one in books]
        assert without_prices(store, versions[1]) == [versions[1], versions[3], versions[2], versions[0]]
        row = [(versions[3], *[""] * 5, {}, 0, 0, 0, 0, 0, 0, {}, "list", 0, 0, 1, "", "")]
        store.client.insert("prices", row, column_names=TABLES["prices"].names)
        rows = PriceRows(lambda: StoreClient(process.settings), versions[3])
        try:
            rows.tick()
            assert rows._process is not None
            assert rows._process.args[-1] == versions[2]  # type: ignore[index]
        finally:
            rows.close()
            store.command("TRUNCATE TABLE prices")
            store.command("TRUNCATE TABLE price_book_versions")
            record_versions(store, book, AttributionRules.load(None), None)


@pytest.mark.slow
def test_a_book_is_written_whole_and_once(process: StoreProcess, book: PriceBook, rows: PriceRows) -> None:
    """All of today's rows, for next to no work of the worker; whoever comes later starts no process."""
    worked = time.process_time()
    started(rows)

    def done() -> bool:
        rows.tick()
        return rows._process is None

    assert wait_until(done, 240, every_s=1)
    assert time.process_time() - worked < 1.5
    with StoreClient(process.settings) as store:
        ((count,),) = store.rows("SELECT count() FROM prices WHERE version = {v:String}", {"v": book.version})
        assert 100_000 < int(str(count)) < 250_000
    later = PriceRows(lambda: StoreClient(process.settings), book.version)
    later.tick()
    assert later._process is None

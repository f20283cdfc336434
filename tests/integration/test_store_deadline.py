"""Inserts that come after their deadline: the store refuses them by its own clock, and nothing of them is booked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import CrashError
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import LateInsertError, ServerClock
from stream_jobs.store.tables import DEADLINE_TABLES, TABLES, insert
from tests.store_server import BOOKED_AT, StoreProcess, ledger_rows

CLOSED = {
    ("forecast_runs", "status"): "complete",
    **{(table, "entry_kind"): "charge" for table in DEADLINE_TABLES},
    **{(table, "grain"): "hour" for table in DEADLINE_TABLES},
}
"""Of closed sets."""
ROLLUPS = ("cost_1m", "cost_1h", "cost_1d", "operations_1d")
EVERYWHERE = 2 + len(ROLLUPS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    yield store
    store.kill()


@pytest.fixture
def client(store: StoreProcess) -> Iterator[Client]:
    with store.connect() as client:
        for table in (*DEADLINE_TABLES, "booked_ids", *ROLLUPS):
            client.command(f"TRUNCATE TABLE {table}")
        yield client


@pytest.fixture
def asked(store: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(store.settings) as asked:
        yield asked


def booked(client: Client) -> list[int]:
    """Rows of the ledger and of what hangs on it."""
    counts = ("count() FROM ledger", "count() FROM booked_ids", *(f"sum(events) FROM {name}" for name in ROLLUPS))
    return [int(str(client.command(f"SELECT {count}"))) for count in counts]


def row_of(table: str) -> pa.Table:
    """One row with some value in each column."""
    zeros: dict[str, Any] = {"string": "", "binary": b"", "uint32": 0, "uint64": 0, "int64": 0}
    values = []
    for field in TABLES[table]:
        is_time, is_map = pa.types.is_timestamp(field.type), pa.types.is_map(field.type)
        value = BOOKED_AT if is_time else {} if is_map else zeros.get(str(field.type), 0)
        value = [] if pa.types.is_list(field.type) else CLOSED.get((table, field.name), value)
        values.append(pa.array([value], field.type))
    return pa.table(values, schema=TABLES[table])


def test_in_time_it_is_booked_and_after_its_deadline_nothing_is(client: Client, asked: StoreClient) -> None:
    """The refusal has a class of its own, and leaves neither rows nor a remembered token behind."""
    clock = ServerClock(asked)
    insert(client, "ledger", ledger_rows(10), "in-time", clock.deadline())
    with pytest.raises(LateInsertError, match="after its deadline"):
        insert(client, "ledger", ledger_rows(10, first=10), "late", clock.deadline(-5))
    assert booked(client) == [10] * EVERYWHERE
    insert(client, "ledger", ledger_rows(10, first=10), "late", clock.deadline())
    insert(client, "ledger", ledger_rows(10, first=10), "late", clock.deadline())
    assert booked(client) == [20] * EVERYWHERE, "a redo with a fresh deadline books it, once"


@pytest.mark.parametrize("table", sorted(DEADLINE_TABLES - {"ledger"}))
def test_everything_a_block_writes_is_checked(client: Client, asked: StoreClient, table: str) -> None:
    """Receipts, quarantine and duplicates would be doubled by a sleeper just like the ledger."""
    clock = ServerClock(asked)
    with pytest.raises(LateInsertError, match=table):
        insert(client, table, row_of(table), "late", clock.deadline(-5))
    insert(client, table, row_of(table), "in-time", clock.deadline())
    assert client.command(f"SELECT count() FROM {table}") == 1


def test_a_table_without_the_check_takes_no_deadline(client: Client) -> None:
    """Nobody may believe that a deadline holds where the server does not look."""
    with pytest.raises(CrashError, match="blocks"):
        insert(client, "blocks", row_of("blocks"), "b", datetime.now(UTC))


def test_an_insert_without_a_deadline_is_never_late(client: Client) -> None:
    """Other writers go on as before."""
    insert(client, "ledger", ledger_rows(3), "whenever")
    assert booked(client) == [3] * EVERYWHERE


SLEEPER = """
import sys
from datetime import datetime
from stream_jobs.store.client import connect
from stream_jobs.store.deadline import LateInsertError
from stream_jobs.store.settings import ClickHouseSettings
from stream_jobs.store.tables import insert
from tests.store_server import ledger_rows

port, password, deadline = sys.argv[1:]
settings = ClickHouseSettings(port=int(port), user="spendstream", password_file=password)
with connect(settings) as client:
    rows = ledger_rows(50)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        insert(client, "ledger", rows, "sleeper", datetime.fromisoformat(deadline))
    except LateInsertError as error:
        print("refused:", error, flush=True)
    else:
        print("booked", flush=True)
"""


def test_a_worker_that_was_stopped_over_its_deadline_is_refused(
    client: Client, asked: StoreClient, store: StoreProcess
) -> None:
    """SIGSTOP after the deadline was taken, SIGCONT after it has passed: refused, though its token is unknown."""
    deadline = ServerClock(asked).deadline(1.0)
    password = str(store.folder / "credentials")
    command = [sys.executable, "-c", SLEEPER, str(store.port), password, deadline.isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sleeper:
        assert sleeper.stdin is not None
        assert sleeper.stdout is not None
        assert sleeper.stdout.readline() == "ready\n"
        os.kill(sleeper.pid, signal.SIGSTOP)
        sleeper.stdin.write("go\n")
        sleeper.stdin.flush()
        while client.command(f"SELECT now64(6, 'UTC') > toDateTime64('{deadline:%F %T.%f}', 6, 'UTC') + 1") != 1:
            time.sleep(0.05)
        os.kill(sleeper.pid, signal.SIGCONT)
        answer = sleeper.stdout.readline()
    assert answer.startswith("refused: ledger: the store refused an insert that came after its deadline"), answer
    assert booked(client) == [0] * EVERYWHERE


class Ticker:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_deadline_follows_the_servers_clock_without_asking_each_time(client: Client, asked: StoreClient) -> None:
    """Between two questions our own unset clock counts on; the estimate is never later than the server's clock."""
    ticker = Ticker()
    clock = ServerClock(asked, ticker)
    first = clock.deadline(0)
    server = client.query("SELECT now64(6, 'UTC')").result_rows[0][0].replace(tzinfo=UTC)
    assert timedelta(0) <= server - first < timedelta(seconds=30)
    ticker.now += 5
    assert clock.deadline(60) == first + timedelta(seconds=65)
    ticker.now += 6
    before = clock.now()
    assert before < first + timedelta(seconds=11), "asked anew: hardly any time has passed"
    ticker.now += 5
    later = clock.now()
    ticker.now += 6
    assert clock.deadline(0) < later, "asked anew again"
    assert clock.now() == later, "instants never go back: of two blocks of a worker the later one must say so"

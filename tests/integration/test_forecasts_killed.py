"""kill -9 of a process that forecasts, at any instant of its runs: nothing that is seen is half."""

import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.integration.pipeline import until
from tests.store_server import StoreProcess, ledger_rows

pytestmark = pytest.mark.slow

SEED = 20261130
KILLS = 6
PROGRAM = """
import sys
from pathlib import Path
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.lease import leased
from stream_jobs.forecasts.run import ForecastRun
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings

store = StoreClient(ClickHouseSettings(port=int(sys.argv[1]), user="spendstream", password_file=Path(sys.argv[2])))
run = ForecastRun(store, ForecastsSettings(hours=24), None)
while True:
    now = store.now()
    run.make(leased(now, Grid("hour"), now, limit_s=600, slack_s=900), store.now, lambda: False)
"""


class Child:
    """Makes run after run, until it is killed."""

    def __init__(self, process: StoreProcess, log: Path) -> None:
        self._arguments = [sys.executable, "-c", PROGRAM, str(process.port), str(process.folder / "credentials")]
        self._log = log

    def __enter__(self) -> "Child":
        with self._log.open("wb") as log:
            self._running = subprocess.Popen(self._arguments, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.kill()
        self._running.wait()

    def wait_for_more(self, store: StoreClient, status: str, than: int) -> None:
        until(lambda: runs(store, status) > than or self._running.poll() is not None, 90, "a run")
        assert self._running.poll() is None, self._log.read_text()

    def goes_on(self, seconds: float) -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            self._running.wait(seconds)


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        at = [now - timedelta(hours=hour) for hour in range(1, 21 * 24) for _ in range(20)]
        team = [f"t{number % 20}" for number in range(len(at))]
        cost = [Decimal(1 + number % 7) for number in range(len(at))]
        insert(store.client, "ledger", ledger_rows(len(at), occurred_at=at, team=team, effective_cost=cost), "history")
        yield store


def test_nothing_is_half_however_a_run_ends(store: StoreClient, process: StoreProcess, tmp_path: Path) -> None:
    """The rows of the last run whose completing row is there, all of them, and of no other."""
    rng = random.Random(SEED)
    steps: set[int] = set()
    for number in range(KILLS):
        before = runs(store, "complete")
        with Child(process, tmp_path / f"{number}.log") as child:
            child.wait_for_more(store, "complete", before)
            child.wait_for_more(store, "running", runs(store, "running"))
            child.goes_on(rng.random() * 0.8)  # somewhere in the middle of it
        seen = store.rows(
            "SELECT run, count(), uniqExact(budget_id, dims, vals, measure) FROM forecasts_now GROUP BY run"
        )
        assert len(seen) == 1, SEED
        ((run, count, series),) = seen
        assert [(run,)] == store.rows("SELECT max(run) FROM forecast_runs WHERE status = 'complete'")
        assert count == 24 * int(str(series)), SEED
        steps.add(int(str(count)))
    assert len(steps) == 1, "the same history has the same series in every run"
    complete = "SELECT run FROM forecast_runs WHERE status = 'complete'"
    ((half,),) = store.rows(f"SELECT uniqExact(run) FROM forecast_runs WHERE run NOT IN ({complete})")
    assert int(str(half)) > 0, "no run was killed in its middle"


def runs(store: StoreClient, status: str) -> int:
    ((count,),) = store.rows("SELECT count() FROM forecast_runs WHERE status = {status:String}", {"status": status})
    return int(str(count))

"""Runs of days whose series are long enough for Prophet, ETS, Theta and STL: the real store, and the real pool."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stream_jobs.forecasts import slow_fits
from stream_jobs.forecasts.foreknowledge import Foreknowledge
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.lease import leased
from stream_jobs.forecasts.run import ForecastRun
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.integration.pipeline import until
from tests.store_server import StoreProcess, ledger_rows
from tests.unit.forecasts import hanging
from tests.unit.planned.test_effects import planned

pytestmark = pytest.mark.slow

DAYS = 200
CHEAP = ["level", "trend", "last week", "4-week median", "4-week mean"]
PROGRAM = """
import sys
from pathlib import Path
from stream_jobs.forecasts import slow_fits
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.lease import leased
from stream_jobs.forecasts.run import ForecastRun
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.store.client import StoreClient
from stream_jobs.store.settings import ClickHouseSettings
from tests.unit.forecasts import hanging

slow_fits.fit = hanging.theta_hangs
store = StoreClient(ClickHouseSettings(port=int(sys.argv[1]), user="spendstream", password_file=Path(sys.argv[2])))
now = store.now()
lease = leased(now, Grid("day"), now, limit_s=600, slack_s=900)
ForecastRun(store, ForecastsSettings(slow_fit_s=200), None).make(lease, store.now, lambda: False)
"""


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    """The total and two teams, weekdays above weekends."""
    with StoreClient(process.settings) as store:
        today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        at = [today - timedelta(days=day) for day in range(1, DAYS + 1) for _ in range(2)]
        team = ["search", "ads"] * DAYS
        cost = [
            Decimal((30 if one == "search" else 10) * (1 if when.weekday() < 5 else 0.5)) + (when.toordinal() * 7 % 5)
            for when, one in zip(at, team, strict=True)
        ]
        insert(store.client, "ledger", ledger_rows(len(at), occurred_at=at, team=team, effective_cost=cost), "history")
        yield store


Said = dict[tuple[str, ...], tuple[tuple[str, ...], str]]


def said(store: StoreClient, run: ForecastRun) -> Said:
    """By dimensions and values, what a run of days says of cost: slow members, and why some are not there."""
    now = store.now()
    run.make(leased(now, Grid("day"), now, limit_s=600, slack_s=900), store.now, lambda: False)
    rows: list[Any] = store.rows(
        "SELECT dims, vals, any(members), any(why) FROM forecasts_now WHERE grain = 'day' AND budget_id = '' "
        "AND measure = 'effective_cost' AND p10 <= p50 AND p50 <= p90 GROUP BY dims, vals HAVING count() = 90"
    )
    assert all(list(members[: len(CHEAP)]) == CHEAP for _, _, members, _ in rows)
    return {(*dims, *vals): (tuple(members[len(CHEAP) :]), why) for dims, vals, members, why in rows}


def test_members_are_fitted_kept_and_named_where_they_hang(
    store: StoreClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One series a run. What hangs is killed, and the run goes on without it; the next one fits the next series, keeps
    what there is, and nothing runs between them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    week = datetime.now(UTC) - timedelta(days=60)
    sale = planned({"from": f"{week:%F}T00:00", "to": f"{week + timedelta(days=3):%F}T00:00", "factor": "1.1"})
    foreknowledge = Foreknowledge(store, lambda: sale, PriceBook.of)  # an event, of which Prophet learns
    run = ForecastRun(store, ForecastsSettings(slow_series=1), None, foreknowledge)
    with monkeypatch.context() as hangs:
        hangs.setattr(slow_fits, "fit", hanging.theta_hangs)
        first = said(store, run)
    without_theta = ("ets", "prophet", "stl"), "without theta: it took longer than 10 s and was killed"
    assert first.pop(()) == without_theta
    assert ("team", "search") in first
    assert set(first.values()) == {((), "")}
    assert list(tmp_path.iterdir()) == [], "the pool's folder goes with it"
    second = said(store, run)
    assert second.pop(()) == without_theta
    assert sorted(second.values())[-2:] == [((), ""), (("ets", "prophet", "stl", "theta"), "")]
    assert list(tmp_path.iterdir()) == []


def test_kill_9_amid_fits_leaves_nothing(store: StoreClient, process: StoreProcess, tmp_path: Path) -> None:
    """No process and no file of the pool; of the run nothing is seen."""
    complete = "SELECT count() FROM forecast_runs WHERE status = 'complete' AND grain = 'day'"
    before = store.rows(complete)
    arguments = [sys.executable, "-c", PROGRAM, str(process.port), str(process.folder / "credentials")]
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(arguments, stderr=log, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        hung = f"{tmp_path}/spendstream-pool-"
        until(lambda: len(with_folder(hung)) >= 2 or child.poll() is not None, 120, "a server and a worker")
        assert child.poll() is None, (tmp_path / "log").read_text()
    finally:
        child.kill()
        child.wait()
    until(lambda: not with_folder(hung) and not list(tmp_path.glob("spendstream-pool-*")), 30, "the end of the pool")
    assert store.rows(complete) == before


def with_folder(start: str) -> list[str]:
    """The processes that keep their files below it."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TMPDIR={start}".encode() in environment.read_bytes():
                found.append(environment.parent.name)
        except OSError:
            continue
    return found

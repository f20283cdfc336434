"""The report on a real store."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.cli import report as command
from stream_jobs.economics.asked import Question
from stream_jobs.economics.question import Answer, ask, figures_named
from stream_jobs.report.data import ZERO, CachePoint, Unusual
from stream_jobs.report.figures import SHARES
from stream_jobs.report.queries import build
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.store_server import StoreProcess, ledger_rows

START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("empty") / "store")
    yield store
    store.kill()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """An hour: 20 models at 10 requests a minute, a burst of one, a correction, unpriced and unallocated usage."""
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    with store.connect() as client:
        _book(client)
    yield store
    store.kill()


def _book(client: Client) -> None:
    count = 600
    times = [START + MINUTE * (number // 10) for number in range(count)]
    usual = ledger_rows(
        count,
        occurred_at=times,
        model=[f"model-{number % 20:02}" for number in range(count)],
        user_id=[f"user-{number % 40:02}" for number in range(count)],
        cache_read_tokens=250,
        price_book_version="book-1",
    )
    burst = ledger_rows(
        10,
        first=1_000,
        occurred_at=START + 30 * MINUTE,
        model="burst",
        team="culprit",
        effective_cost=Decimal("0.050000000001"),
        price_book_version="book-1",
    )
    cost = Decimal("0.0026")
    taken_back = ledger_rows(
        1,
        entry_kind="retraction",
        occurred_at=times[0],
        model="model-00",
        list_cost=-cost,
        contracted_cost=-cost,
        effective_cost=-cost,
    )
    unpriced = ledger_rows(
        1,
        first=2_000,
        occurred_at=times[1],
        model="mystery",
        unpriced_reason="unknown_model",
        unpriced_detail="no such model",
        unallocated=[["cost_center"]],
        source="careless",
        **{f"{kind}_cost": [None] for kind in ("list", "contracted", "effective")},
    )
    for number, rows in enumerate((usual, burst, taken_back, unpriced)):
        insert(client, "ledger", rows, f"report-{number}")


def test_every_breakdown_adds_up_to_the_ledger_to_the_last_digit(store: StoreProcess) -> None:
    """Shown rows + others = total = the sum of the ledger's entries, whatever is asked."""
    with store.connect() as client:
        (ledger,) = client.query("SELECT sum(ifNull(effective_cost, 0)), sum(events) FROM ledger").result_rows
        data = build(client)
    assert (data.totals.effective_cost, data.totals.events) == ledger
    assert data.totals.effective_cost == 599 * Decimal("0.0026") + Decimal("0.50000000001")
    for breakdown in data.breakdowns.values():
        if breakdown.dimension in ("user_id", "customer"):
            continue
        rest = breakdown.rest.effective_cost if breakdown.rest else ZERO
        assert sum((share.effective_cost for share in breakdown.shares), rest) == ledger[0], breakdown.dimension
    for series in data.series.values():
        assert sum((sum(row, ZERO) for row in series.values), ZERO) == ledger[0]
    assert data.breakdowns["model"].rest_groups == 22 - 15
    assert data.breakdowns["user_id"].rest_groups == 40 - 15


def test_the_default_period_is_what_there_is_and_a_given_one_is_respected(store: StoreProcess) -> None:
    """Whole minutes around the events; a narrower period counts what happened in it."""
    with store.connect() as client:
        whole = build(client)
        part = build(client, START + 10 * MINUTE, START + 20 * MINUTE)
        with pytest.raises(ConfigError, match="period is empty"):
            build(client, START, START - MINUTE)
    assert (whole.start, whole.end) == (START.replace(second=0), START.replace(second=0) + 60 * MINUTE)
    assert len(whole.buckets) == 60
    # 12:10:30 to 12:20:30 is widened to 12:10 to 12:21.
    assert part.totals.events == 110


@pytest.mark.parametrize("days", [0.3, 2, 20, 170, 400, 2_000])
def test_long_periods_are_cut_into_coarser_buckets_that_lose_nothing(store: StoreProcess, days: float) -> None:
    """Our buckets are ClickHouse's, from minutes to weeks, wherever the period starts."""
    with store.connect() as client:
        data = build(client, START - timedelta(days=days), START + timedelta(hours=2, days=days / 3))
    assert data.totals.events == 610
    assert data.buckets[0] <= data.start < data.buckets[0] + data.bucket
    assert data.buckets[-1] < data.end <= data.buckets[-1] + data.bucket
    for series in data.series.values():
        assert sum((sum(row, ZERO) for row in series.values), ZERO) == data.totals.effective_cost
    assert sum(point.events for point in data.cache) == 610


@pytest.mark.parametrize(("before", "after"), [(timedelta(0), 60 * MINUTE), (timedelta(days=2), timedelta(days=3))])
def test_what_the_report_asks_by_itself_is_what_figures_are(
    store: StoreProcess, before: timedelta, after: timedelta
) -> None:
    """Who cost most, costs over time and caches have questions of their own: only so many of millions of people, and
    buckets of any length, are nothing that figures are cut by. What they say is what the registry says."""
    with StoreClient(store.settings) as asking:
        data = build(asking.client, START - before, START + after)

        def told(names: Sequence[str], *by: str, since: datetime = data.start, until: datetime = data.end) -> Answer:
            return ask(asking, Question(figures_named(names), since, until, by))

        for name in ("user_id", "customer"):
            lines = [line for line in told(SHARES, name).lines if line.values != ("",)]
            shares = {
                share.name: [getattr(share, figure) for figure in SHARES] for share in data.breakdowns[name].shares
            }
            assert shares == {line.values[0]: [*line.figures.values()] for line in lines if line.values[0] in shares}
            assert len(shares) == min(15, len(lines))
            total = data.breakdowns[name].total
            for figure in SHARES:
                assert getattr(total, figure) == sum(line.figures[figure] or 0 for line in lines)
        for name, series in data.series.items():
            costs = {line.values[0]: line.figures["effective_cost"] for line in told(["effective_cost"], name).lines}
            for value, row in zip(series.names, series.values, strict=True):
                if value:
                    assert sum(row, ZERO) == costs[value]
        names = [field.name for field in fields(CachePoint)]
        for at, point in list(zip(data.buckets, data.cache, strict=True))[::7]:
            since, until = max(at, data.start), min(at + data.bucket, data.end)
            assert list(told(names, since=since, until=until).total.figures.values()) == list(astuple(point))


def test_what_stands_out_is_shown(store: StoreProcess) -> None:
    """The burst and its driver, the expensive requests, unpriced and unallocated usage, the cache."""
    with store.connect() as client:
        data = build(client)
    assert data.unusual == Unusual(judged="never")
    assert {request.model for request in data.requests[:10]} == {"burst"}
    assert data.requests[0].cost == Decimal("0.050000000001")
    assert "e0" not in {request.event_id for request in data.requests}
    (unpriced,) = data.unpriced
    assert (unpriced.model, unpriced.events, unpriced.reasons) == ("mystery", 1, "unknown_model")
    (unallocated,) = data.unallocated
    assert (unallocated.source, unallocated.missing) == ("careless", "cost_center")
    assert data.cache[5].cache_read_tokens * 4 == data.cache[5].input_tokens
    assert data.price_book_versions == ("book-1",)
    assert {kind.kind: kind.entries for kind in data.entry_kinds} == {"charge": 611, "retraction": 1}


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["report", *arguments])
    return int(args.run(args))


def test_the_command_writes_a_page_and_prints_json(
    store: StoreProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the reading user: a report needs no right to write."""
    page = tmp_path / "report.html"
    assert _run("--url", store.url, "--out", str(page)) == 0
    assert "model-00" in page.read_text()
    assert str(page) in capsys.readouterr().out.replace("\n", "")
    assert _run("--url", store.url, "--json", "--from", "2026-03-01T12:00", "--to", "2026-03-01T13:00+00:00") == 0
    assert json.loads(capsys.readouterr().out)["totals"]["effective_cost"] == "2.05740000001"


def test_an_empty_store_gives_a_page_that_helps(empty_store: StoreProcess, tmp_path: Path) -> None:
    """Exit code 0 and what to do next."""
    page = tmp_path / "report.html"
    assert _run("--url", empty_store.url, "--out", str(page)) == 0
    assert "Nothing is booked" in page.read_text()


def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    """No traceback, no half a page."""
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        _run("--url", "http://127.0.0.1:1", "--out", str(tmp_path / "report.html"))
    assert list(tmp_path.iterdir()) == []

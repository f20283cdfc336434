"""What the job 'forecasts' wrote decides about the forecast thresholds of budgets, on the real store and broker."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from spendstream import Decision, Guard
from spendstream.cli import main
from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.base.instants import unix_micros
from stream_jobs.budgets import outlook_reader
from stream_jobs.budgets.book import Place
from stream_jobs.budgets.signals import alert_id
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.forecasts.outlooks import Outlooks
from stream_jobs.series.history import History
from stream_jobs.store.client import StoreClient
from tests.integration.budget_office import TABLES, Office, hurried
from tests.integration.budget_world import World
from tests.integration.pipeline import until
from tests.integration.test_budget_units import guard
from tests.store_server import StoreProcess

pytestmark = pytest.mark.slow

BUDGET = {
    **{"id": "search", "name": "Search", "scope": {"team": "search"}, "amount": 100, "period": "year"},
    "thresholds": {"actual": [], "forecast": [100]},
}


@pytest.fixture
def office(
    process: StoreProcess, broker: TansuBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    hurried(monkeypatch)
    monkeypatch.setattr(outlook_reader, "LOOK_S", 0.0)
    with StoreClient(process.settings) as store:
        for table in (*TABLES, "forecast_runs", "budget_forecasts"):
            store.command(f"TRUNCATE TABLE {table}")
        office = Office(store, broker.address, tmp_path, World(store, uuid4().hex, store.now()))
        yield office
        office.close()


def place(office: Office) -> Place:
    tracked = office.running._book.tracked_by("search")
    assert tracked is not None
    assert tracked.current is not None
    return office.running._book.place(tracked, tracked.current, ())


def forecast(office: Office, chance: float, *, raised: bool, complete: bool = True) -> None:
    """A run that says so."""
    tracked = office.running._book.tracked_by("search")
    assert tracked is not None
    assert tracked.current is not None
    now = office.store.now()
    given: dict[str, object] = {
        **{"run": unix_micros(now), "due": unix_micros(now + timedelta(days=1)), "key": place(office).period_key},
        **{"start": unix_micros(tracked.current.start), "end": unix_micros(tracked.current.end), "chance": chance},
        "since": unix_micros(now) if raised else 0,
    }
    at = "fromUnixTimestamp64Micro({{{}:Int64}}, 'UTC')".format
    office.store.client.command(
        "INSERT INTO budget_forecasts (run, grain, budget_id, period_key, period_start, period_end, unit, currency, "
        "rate, amount, spent, p10, p50, p90, thresholds, probabilities, raised_since, states, breach_p50, label) "
        f"SELECT {at('run')}, 'day', 'search', {{key:String}}, {at('start')}, {at('end')}, 'USD', 'USD', 1, 100, "
        f"20, 120, 140, 170, [100], [{{chance:Float64}}], [{at('since')}], [''], {at('end')} - 1, 'steady'",
        parameters=given,
    )
    if complete:
        office.store.client.command(
            "INSERT INTO forecast_runs (run, grain, status, at, due_at) "
            f"SELECT {at('run')}, 'day', 'complete', {at('run')}, {at('due')}",
            parameters=given,
        )


def asked(office: Office, services: Guard, action: str, known: float = 0.9) -> Decision:
    """Once they do that, and the job knows of this chance."""

    def does() -> bool:
        office.cycle()
        outlook = office.running._book._outlooks.get(place(office))
        chance = None if outlook is None else outlook.chances[Decimal("100.000")].probability
        return chance == known and services.decide().action == action

    until(does, 30, f"services at {action}")
    return services.decide()


def told(office: Office) -> AlertSignal | None:
    office.cycle()
    return office.alerts().get(alert_id("forecast", place(office)))


def ups(office: Office) -> int:
    ((count,),) = office.store.rows("SELECT count() FROM budget_crossings WHERE direction = 'up'")
    return int(str(count))


def steps(office: Office) -> None:
    """The days that the latest run added up: 120 more by the end of the first, and no more."""
    office.store.command(
        "INSERT INTO forecast_series (run, grain, budget_id, zone, measure, label, method, until) "
        "SELECT run, grain, 'search', 'UTC', 'effective_cost', 'steady', 'm', run FROM budget_forecasts ORDER BY run "
        "DESC LIMIT 1"
    )
    office.store.command(
        "INSERT INTO forecasts (run, grain, budget_id, measure, at, p10, p50, p90, sum_p10, sum_p50, sum_p90) "
        "SELECT run, grain, 'search', 'effective_cost', toStartOfDay(run), 100, 120, 150, 100, 120, 150 "
        "FROM budget_forecasts ORDER BY run DESC LIMIT 1"
    )


def test_a_forecast_raises_an_alert_once_also_over_a_restart_and_takes_it_back(
    office: Office, process: StoreProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a run says nothing; a job that cannot read forecasts goes on; people read chance, band, day and label."""
    office.write(BUDGET)
    office.restart()
    office.settle()
    forecast(office, 0.9, raised=True, complete=False)
    office.settle()
    assert told(office) is None
    forecast(office, 0.9, raised=True)
    until(lambda: told(office) is not None, 30, "an alert")
    signal = told(office)
    assert signal is not None
    assert signal.status == "firing"
    assert "will pass $100.00 with a chance of 90 %: forecast $140.00 (P10 $120.00, P90 $170.00)" in signal.summary

    office.restart()
    office.settle()
    assert ups(office) == 1
    office.store.command("RENAME TABLE forecast_runs TO forecast_runs_away")
    try:
        office.settle()
    finally:
        office.store.command("RENAME TABLE forecast_runs_away TO forecast_runs")
    signal = told(office)
    assert signal is not None
    assert signal.status == "firing"
    office.running._record_standings()
    tracked = office.running._book.tracked_by("search")
    assert tracked is not None
    assert tracked.current is not None
    # What the job 'forecasts' reads of a budget with carry-over.
    outlooks = Outlooks(office.store, History(office.store))
    assert outlooks._stated(tracked.budget, tracked.current, [(), ("x",)]) == {(): Decimal(100)}
    assert main(["budgets", "list", "--url", process.url]) == 0
    assert "$140.00" in capsys.readouterr().out
    assert main(["budgets", "show", "search", "--url", process.url]) == 0
    assert "steady" in capsys.readouterr().out
    nothing = ["budgets", "show", "search", "--url", process.url, "--plot", str(tmp_path / "nothing.png")]
    assert main(nothing) == 2
    assert "nothing to plot" in capsys.readouterr().err
    steps(office)
    picture = tmp_path / "search.png"
    assert main(["budgets", "show", "search", "--url", process.url, "--plot", str(picture)]) == 0
    assert "$100.00: gone on " in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["budgets", "show", "search", "--url", process.url, "--json"]) == 0
    outlook = json.loads(capsys.readouterr().out)["standings"][0]["outlook"]
    assert (outlook["probability"], outlook["label"], outlook["stale_since"]) == (0.9, "steady", None)

    forecast(office, 0.2, raised=False)
    until(lambda: getattr(told(office), "status", "") == "resolved", 30, "an alert that is over")
    assert ups(office) == 1


def test_services_follow_a_forecast_that_nobody_is_alerted_of(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """From when it is raised, also over a restart and while it is stale, until it is cleared; people read why."""

    def shown(*arguments: str) -> str:
        office.running._record_standings()
        assert main(["budgets", "show", "search", "--url", process.url, *arguments]) == 0
        return capsys.readouterr().out

    step = {"at_forecast_percent": 100, "action": "reduced", "max_output_tokens": 500}
    office.write({**BUDGET, "scope": {}, "thresholds": {"actual": [], "forecast": []}, "policy": {"steps": [step]}})
    office.restart()
    office.settle()
    with guard(office) as services:
        forecast(office, 0.9, raised=False)
        asked(office, services, "full", known=0.9)
        assert json.loads(shown("--json"))["standings"][0]["services"]["action"] == "full"
        forecast(office, 0.9, raised=True)
        decision = asked(office, services, "reduced")
        assert (decision.allowed, decision.max_output_tokens, decision.by_forecast) == (True, 500, True)
        assert "it is forecast to pass 100%: smaller requests only" in decision.reason
        office.restart()
        office.store.command(
            "INSERT INTO forecast_runs (run, grain, status, at, due_at) "
            "SELECT now64(6, 'UTC'), 'day', 'failed', now64(6, 'UTC'), now64(6, 'UTC')"
        )
        office.settle()
        assert asked(office, services, "reduced").by_forecast
        assert "forecast to pass 100 %" in shown()
        services_do = {"action": "reduced", "why": "forecast to pass 100 %", "by_forecast": True}
        assert json.loads(shown("--json"))["standings"][0]["services"] == services_do
        assert office.alerts() == {}
        forecast(office, 0.2, raised=False)
        asked(office, services, "full", known=0.2)

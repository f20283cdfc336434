"""The forecasts job on the real store: runs, what is seen of them, scores, and what is said when there can be none.

Time goes on as a test says, from now on: deadlines are checked by the store's own clock.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil, prod
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.base.instants import unix_micros
from stream_jobs.forecasting.model import Told
from stream_jobs.forecasts import run as run_module
from stream_jobs.forecasts import running
from stream_jobs.forecasts.demand_answer import answered
from stream_jobs.forecasts.demand_board import DemandBoard
from stream_jobs.forecasts.drivers_ahead import read_drivers
from stream_jobs.forecasts.foreknowledge import Foreknowledge
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.overview import look_at, read_overview
from stream_jobs.forecasts.read import read_budgets, read_runs
from stream_jobs.forecasts.recent import read_course, read_recent
from stream_jobs.forecasts.run import no_rest
from stream_jobs.forecasts.running import Running
from stream_jobs.forecasts.runs import request
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.integration.anomaly_world import Blocks, Log
from tests.integration.pipeline import until
from tests.store_server import StoreProcess, ledger_rows
from tests.unit.planned.test_effects import planned

pytestmark = pytest.mark.slow

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(minutes=65)
"""In an hour: what the store says by its own clock was before."""
TABLES = (
    *("forecast_runs", "forecasts", "forecast_series", "forecast_scores", "budget_forecasts", "block_receipts"),
    "forecast_drivers",
    *("budget_definitions", "budget_periods"),
)
SETTINGS = ForecastsSettings(history_days=60, hours=24)
TEAMS = {"search": Decimal(2), "ads": Decimal(1)}
DAYS = 21
BUDGETS = {
    "budgets": [
        {"id": "all", "name": "All", "amount": 100, "period": "day", "owner": "me"},
        {"id": "teams", "name": "Each", "amount": 9, "per": ["team"], "period": "day", "owner": "me"},
        {"id": "month", "name": "Month", "amount": 100000, "period": "month", "timezone": "Asia/Tokyo", "owner": "me"},
    ]
}


class Always:
    """It is time for everything."""

    def __init__(self, every_s: float) -> None: ...

    def __call__(self) -> bool:
        return True


def spend(begin: datetime, hours: int) -> tuple[list[datetime], list[str], list[Decimal]]:
    """Of each team and hour: twice as much by day as by night."""
    found = [
        (begin + number * HOUR, team, usd * (2 if 8 <= (begin + number * HOUR).hour < 20 else 1))
        for number in range(hours)
        for team, usd in TEAMS.items()
    ]
    at, teams, costs = zip(*found, strict=True)
    return list(at), list(teams), list(costs)


@dataclass
class World:
    """A job, and what it sees."""

    store: StoreClient
    folder: Path
    now: datetime = NOW
    jobs: int = 0
    rests: int = 0
    """Runs that rest as they compute."""

    def __post_init__(self) -> None:
        self.blocks = Blocks(self.store, "topic", NOW)
        self.log = Log(self.blocks)
        self.job = self.begin()

    def begin(self) -> Running:
        """A job, from what was kept."""
        self.jobs += 1
        return Running(self.store, SETTINGS, self.log, self.folder, lambda: self.now, resting=self._resting)

    def _resting(self) -> Told:
        self.rests += 1
        return no_rest

    def restart(self) -> None:
        self.job.close()
        self.job = self.begin()

    def book(self, begin: datetime, hours: int) -> None:
        at, teams, costs = spend(begin, hours)
        self.insert(at, teams, costs)

    def insert(self, at: list[datetime], teams: list[str], costs: list[Decimal]) -> None:
        rows = ledger_rows(
            len(at), occurred_at=at, team=teams, effective_cost=costs, list_cost=costs, contracted_cost=costs
        )
        rows = rows.select(rows.column_names[: rows.num_columns])
        insert(self.store.client, "ledger", rows, f"{at[0].isoformat()} {len(at)} {self.now.isoformat()}")

    def settle(self, job: Running | None = None) -> None:
        """Until nothing is due."""
        job = job or self.job
        job.handle()
        job.handle()  # the look of the first is answered

        def idle() -> bool:
            job.handle()
            return job.idle

        until(idle, 120, "runs")  # computed nicer than all else
        job.handle()

    def rows(self, sql: str) -> list[Any]:
        return self.store.rows(sql)

    def statuses(self, grain: str = "hour") -> list[str]:
        return [
            str(status)
            for (status,) in self.rows(
                f"SELECT toString(status) FROM forecast_runs WHERE grain = '{grain}' ORDER BY at, status"
            )
        ]


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


@pytest.fixture
def world(store: StoreClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for table in (*TABLES, "ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        store.command(f"TRUNCATE TABLE {table}")
    monkeypatch.setattr(running, "Due", Always)
    (tmp_path / "budgets.yaml").write_text(json.dumps(BUDGETS))
    world = World(store, tmp_path)
    world.book(NOW.replace(minute=0) - DAYS * DAY, DAYS * 24)
    yield world
    world.job.close()


def zone_of(midnight: datetime) -> str:
    """In which a day begins then."""
    return f"Etc/GMT+{midnight.hour}" if midnight.hour <= 12 else f"Etc/GMT-{24 - midnight.hour}"


def test_three_weeks_of_history_get_a_forecast_of_hours_and_of_days(world: World) -> None:
    """Of the total, of each value and of each budget, from the first hour on that is not over."""
    world.settle()
    assert world.statuses("hour") == ["running", "complete"]
    assert world.statuses("day") == ["running", "complete"]
    found = world.rows(
        "SELECT budget_id, dims, vals, count(), min(at), sum(p50) FROM forecasts_now WHERE grain = 'hour' "
        "GROUP BY budget_id, dims, vals, measure ORDER BY budget_id, dims, vals"
    )
    series = {(row[0], tuple(row[1]), tuple(row[2])) for row in found}
    assert {("", (), ()), ("", ("team",), ("ads",)), ("all", (), ()), ("teams", ("team",), ("search",))} <= series
    assert {row[3] for row in found} == {24}
    assert {row[4] for row in found} == {NOW.replace(minute=0, tzinfo=None)}
    of_all = {(row[0], tuple(row[1]), tuple(row[2])): float(row[5]) for row in found}
    assert of_all["", (), ()] == pytest.approx(3 * 24 * 1.5, rel=0.05)
    ((wrong,),) = world.rows("SELECT count() FROM forecasts_now WHERE NOT (0 <= p10 AND p10 <= p50 AND p50 <= p90)")
    assert wrong == 0
    assert {row[0] for row in world.rows("SELECT DISTINCT label FROM forecasts_now WHERE dims = []")} == {"steady"}


def test_a_run_rests_unless_somebody_waits_for_it(world: World) -> None:
    """The first ones and those that are asked for do not."""
    world.settle()
    assert (world.statuses().count("complete"), world.rests) == (1, 0)
    world.now += timedelta(minutes=1)
    ask(world, world.now)
    world.now += timedelta(minutes=1)
    world.settle()
    assert (world.statuses().count("complete"), world.rests) == (2, 0)
    world.now += HOUR
    world.settle()
    assert (world.statuses().count("complete"), world.rests) == (3, 1)


def test_people_see_the_total_every_budget_and_one_series(world: World) -> None:
    """What sums come to is said with bands of their own; of a budget that is a window too."""
    rolls = {"id": "rolls", "name": "R", "amount": 60, "period": {"rolling": "24h"}, "owner": "me"}
    (world.folder / "budgets.yaml").write_text(json.dumps({"budgets": [*BUDGETS["budgets"], rolls]}))
    world.settle()
    found = read_overview(world.store, {"hour": 24, "day": 30})
    assert [(one.series.made.grain, one.steps) for one in found.totals] == [("hour", 24), ("day", 30)]
    assert {one.name for one in found.budgets} == {"all", "teams/ads", "teams/search", "month"}
    assert [one.series.series.words for one in found.endless] == ["budget=rolls"]
    made = found.runs.hour
    assert made is not None
    shown = look_at(world.store, made, OfSeries("", ("team",), ("search",)), 24)
    last = shown.ahead[-1]
    assert last.total.p10 <= last.total.p50 <= last.total.p90
    assert last.total.p50 == pytest.approx(Decimal(72), rel=Decimal("0.05"))  # 12 hours of 2, and 12 of 4
    came = read_recent(world.store, shown.series)
    assert came[-1][0] + HOUR == shown.ahead[0].at
    assert {value for _, value in came} == {2.0, 4.0}


def test_what_moves_a_cost_is_told_of_the_total_and_of_each_value(world: World) -> None:
    """Three weeks of the same days: nothing moves, and what a day was is what the ledger has. Of budgets nothing is."""
    world.settle()
    found = {one.days: one for one in read_drivers(world.store, OfSeries("", ("team",), ("search",)))}
    assert list(found) == [7, 28, 84]
    for one in found.values():
        # The first of the days is not whole.
        assert one.cost.lately == pytest.approx(Decimal(72), rel=Decimal("0.05"))
        assert one.requests.lately == pytest.approx(24, rel=0.05)
        assert one.tokens_per_request.lately == pytest.approx(1010)
        assert float(one.unit_price.lately) == pytest.approx(72 * 1e6 / (24 * 1010), rel=0.05)
        assert one.ratio == pytest.approx(1, abs=0.05)
        assert prod(one.factors.values()) == pytest.approx(one.ratio)
        assert {part: factor for part, factor in one.factors.items() if abs(factor - 1) > 0.05} == {}
        assert sum(one.usd.values()) == pytest.approx(one.cost.ahead - one.cost.lately)
    assert [one.days for one in read_drivers(world.store, OfSeries())] == [7, 28, 84]
    assert read_drivers(world.store, OfSeries("all")) == []
    made = read_runs(world.store).day
    assert made is not None
    assert look_at(world.store, made, OfSeries(), 30).drivers[1].words.startswith("cost a day ")
    assert read_overview(world.store, {"day": 30}).drivers == read_drivers(world.store, OfSeries())
    world.store.command("RENAME TABLE drivers_ahead TO drivers_of_before")  # as an instance of before has none
    try:
        assert read_drivers(world.store, OfSeries()) == []
    finally:
        world.store.command("RENAME TABLE drivers_of_before TO drivers_ahead")


def test_every_budget_is_told_what_its_period_will_come_to(world: World) -> None:
    """Each value of one per value, too: by hours for a day, by days for a month, in its own zone."""
    world.settle()
    found = {
        (budget_id, tuple(vals)): (grain, spent, p10, p50, p90, chance)
        for budget_id, vals, grain, spent, p10, p50, p90, chance in world.rows(
            "SELECT budget_id, vals, if(period_end - period_start < 90000, 'hour', 'day'), spent, p10, p50, p90, "
            "probability FROM budget_forecasts_now"
        )
    }
    assert found.keys() == {("all", ()), ("teams", ("ads",)), ("teams", ("search",)), ("month", ())}
    whole = 36 * sum(TEAMS.values())
    grain, spent, p10, p50, p90, chance = found["all", ()]
    assert grain == "hour"
    assert float(p50) == pytest.approx(float(whole), rel=0.05)
    assert spent <= p10 <= p50 <= p90
    assert chance > 0.5
    assert found["month", ()][0] == "day"
    of_all = next(one for one in read_budgets(world.store) if one.budget_id == "all")
    course = read_course(world.store, of_all, {}, Decimal(50))
    assert course is not None
    assert course.ahead[-1] == (of_all.period_end, of_all.total)
    assert not course.came or course.came[-1][1] == spent  # what is booked is of hours that are over
    (of_ads,) = (one for one in read_budgets(world.store) if one.values == ("ads",))
    of_ads_alone = read_course(world.store, of_ads, {}, of_ads.amount)
    assert of_ads_alone is not None
    assert [3 * cell for _, cell in of_ads_alone.came] == [cell for _, cell in course.came]
    month = next(one for one in read_budgets(world.store) if one.budget_id == "month")
    of_days = read_course(world.store, month, {}, month.amount)
    assert of_days is not None
    assert month.total is not None
    assert (of_days.ahead[-1][0], of_days.budget.made.grain) == (month.period_end, "day")
    assert of_days.ahead[-1][1].p50 == pytest.approx(month.total.p50, rel=Decimal("1e-9"))
    assert found["month", ()][5] < 0.05
    told = "SELECT count() FROM budget_forecasts_now WHERE arrayExists(at -> at IS NOT NULL, raised_since)"
    assert world.rows(told) == [(0,)]


def define(store: StoreClient, definition: dict[str, Any]) -> None:
    """As the budgets job keeps it."""
    store.client.command(
        "INSERT INTO budget_definitions (budget_id, at, change_id, origin, removed, changed_by, note, definition) "
        "SELECT {id:String}, toDateTime64('2026-01-01 00:00:00', 6, 'UTC'), 'a', 'file', 0, 'me', '', {of:String}",
        parameters={"id": definition["id"], "of": json.dumps(definition)},
    )


def state(
    store: StoreClient,
    definition: dict[str, Any],
    period: tuple[datetime, datetime],
    amount: Decimal,
    spent: Decimal = Decimal(0),
    values: Sequence[str] = (),
) -> None:
    """Where a budget stands, as the budgets job says it."""
    store.client.command(
        "INSERT INTO budget_periods (budget_id, period_start, vals, period_key, period_end, updated_at, amount, spent) "
        "SELECT {id:String}, start, {vals:Array(String)}, toString(toDate(start)), "
        "fromUnixTimestamp64Micro({end:Int64}, 'UTC'), fromUnixTimestamp64Micro({now:Int64}, 'UTC'), "
        "{amount:Decimal(38, 12)}, {spent:Decimal(38, 12)} "
        "FROM (SELECT fromUnixTimestamp64Micro({start:Int64}, 'UTC') AS start)",
        parameters={
            **{"id": definition["id"], "vals": [*values], "start": unix_micros(period[0])},
            **{"end": unix_micros(period[1]), "now": unix_micros(NOW), "amount": amount, "spent": spent},
        },
    )


def test_of_a_total_without_an_end_people_see_what_it_has_spent_and_when_it_is_gone(world: World) -> None:
    """By days, which look farther. 400 are left, and 108 come in a day; what came today is in both."""
    definition = {"id": "ever", "name": "E", "amount": 2_000, "period": "total", "valid_from": "2026-01-01"}
    (world.folder / "budgets.yaml").write_text(json.dumps({"budgets": [definition]}))
    define(world.store, definition)
    forever = datetime(2026, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    state(world.store, definition, forever, Decimal(2_000), Decimal(1_600))
    world.settle()
    (one,) = read_overview(world.store, {"hour": 24, "day": 30}).endless
    window = one.window
    assert window is not None
    assert one.series.made.grain == "day"
    assert window.hours is None
    assert (int(window.amount), int(window.spent)) == (2_000, 1_600)
    assert window.bands[0].p10 >= 1_600
    assert window.bands[-1].p50 == pytest.approx(Decimal(1_600 + 30 * 108), rel=Decimal("0.05"))
    gone = window.gone[1]
    assert gone is not None
    assert timedelta(days=2) < gone - NOW < timedelta(days=4)


def test_a_budget_with_carry_over_is_told_by_the_amount_that_the_budgets_job_states(world: World) -> None:
    """Of each of its values; where it has stated none yet, without what was carried, and that is said."""
    midnight = NOW.replace(minute=0) - 6 * HOUR
    definition = {"id": "carries", "name": "C", "amount": 50, "period": "day", "owner": "me", "per": ["team"]}
    definition |= {"timezone": zone_of(midnight), "carry_over": {"unused": True, "since": "2026-01-01"}}
    (world.folder / "budgets.yaml").write_text(json.dumps({"budgets": [definition]}))
    define(world.store, definition)
    state(world.store, definition, (midnight, midnight + DAY), Decimal("87.25"), values=["search"])
    world.settle()
    found = {
        vals[0]: (float(amount), why)
        for vals, amount, why in world.rows("SELECT vals, amount, why FROM budget_forecasts_now")
    }
    assert found == {
        "search": (87.25, ""),
        "ads": (50, "without what was carried over, which the budgets job has not stated yet"),
    }


def test_planned_events_move_what_they_are_for_and_its_part_of_the_total(world: World) -> None:
    """By hours and by days; what was said without them stays in earlier runs; people are told why."""
    world.settle()
    medians = "SELECT dims, vals, grain, sum(p50) FROM forecasts_now WHERE budget_id = '' AND dims IN ([], ['team']) "
    medians += "AND at < '{}' GROUP BY ALL"
    medians = medians.format(f"{NOW + 20 * HOUR:%F %H:00:00}")
    before = {(tuple(vals), grain): float(p50) for _, vals, grain, p50 in world.rows(medians) if grain == "hour"}
    events = planned(
        {"scope": {"team": "search"}, "from": f"{NOW - HOUR:%FT%H:00}", "to": f"{NOW + 9 * DAY:%FT%H:00}", "factor": 3}
    )
    world.job.close()
    foreknowledge = Foreknowledge(world.store, lambda: events, PriceBook.of)
    world.now += timedelta(minutes=1)
    ask(world, world.now)
    world.now += timedelta(minutes=1)
    world.job = Running(world.store, SETTINGS, world.log, world.folder, lambda: world.now, foreknowledge)
    world.settle()
    after = {(tuple(vals), grain): float(p50) for _, vals, grain, p50 in world.rows(medians) if grain == "hour"}
    # The hour since it began was as usual, not as planned: too little of the history to move much.
    assert after[("search",), "hour"] == pytest.approx(3 * before[("search",), "hour"], rel=0.1)
    assert after[("ads",), "hour"] == pytest.approx(before[("ads",), "hour"])
    assert after[(), "hour"] == pytest.approx(before[(), "hour"] * (1 + 2 * 2 / 3), rel=0.1)
    why = "SELECT DISTINCT vals, why FROM forecasts_now WHERE grain = 'hour' AND dims = ['team'] AND budget_id = ''"
    assert {tuple(vals): text for vals, text in world.rows(why)} == {("search",): "planned: E", ("ads",): ""}


def test_demand_of_each_model_is_read_by_the_hour_and_answered(world: World) -> None:
    """Two calls an hour, of 1010 tokens each; what is stale is not answered, and is no metric any more."""
    world.settle()
    ((hours, requests, tokens, regions, label),) = world.rows(
        "SELECT count(), sum(requests_per_second_p50), sum(tokens_per_second_p50), uniqExact(region), any(label) "
        "FROM demand_ahead WHERE provider = 'openai' AND model = 'gpt-4o'"
    )
    assert (hours, regions, label) == (SETTINGS.hours, 1, "steady")
    assert requests == pytest.approx(hours * 2 / 3600, rel=0.05)
    assert tokens == pytest.approx(hours * 2 * 1010 / 3600, rel=0.05)
    with StoreClient(world.store.settings) as client:
        board = DemandBoard(client, lambda: world.now)
        assert answered("model=gpt-4o", board.outlook(), world.now).status == 503
        board.look()
        answer = json.loads(answered("model=gpt-4o&per_replica=0.0001", board.outlook(), world.now).body)
        assert answer["requests_per_second"] == pytest.approx(2 / 3600, rel=0.3)
        assert answer["replicas"] == ceil(answer["requests_per_second"] / 0.0001)
        metric = "spendstream_demand_requests_per_second"
        of = {"provider": "openai", "model": "gpt-4o"}
        assert REGISTRY.get_sample_value(metric, of) == answer["requests_per_second"]
        board._outlook = replace(board._read(), stale="late")
        board._show()
        assert REGISTRY.get_sample_value(metric, of) is None


def test_those_who_matter_have_a_forecast_each_and_all_others_one_together(world: World) -> None:
    """Nobody's is lost."""
    world.job.close()
    world.job = Running(world.store, SETTINGS.model_copy(update={"most_values": 1}), world.log, None, lambda: world.now)
    world.settle()
    found = world.rows(
        "SELECT vals, sum(p50) FROM forecasts_now WHERE grain = 'hour' AND dims = ['team'] GROUP BY vals ORDER BY vals"
    )
    assert [row[0] for row in found] == [[""], ["search"]]
    assert float(found[1][1]) == pytest.approx(2 * float(found[0][1]), rel=0.05)


def test_history_that_is_loaded_into_a_new_installation_is_forecast_soon(world: World) -> None:
    """Not only when the next hour begins."""
    for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        world.store.command(f"TRUNCATE TABLE {table}")
    world.settle()
    assert world.rows("SELECT DISTINCT series FROM forecast_runs WHERE status = 'complete'") == [(0,)]
    world.now += timedelta(seconds=1)
    world.book(NOW.replace(minute=0) - DAYS * DAY, DAYS * 24)
    world.now += timedelta(minutes=1, seconds=1)
    world.settle()
    world.settle()
    assert world.rows("SELECT min(s) FROM (SELECT max(series) AS s FROM forecast_runs GROUP BY grain)")[0][0] > 0
    world.now += timedelta(minutes=2)
    world.settle()
    assert world.statuses().count("complete") == 2


def test_a_first_day_is_told_by_its_hours_once_there_are_three(world: World) -> None:
    """Before, it is refused in words; a budget's month, too."""
    for table in ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        world.store.command(f"TRUNCATE TABLE {table}")
    hour = NOW.replace(minute=0)
    zone = zone_of(hour - 2 * HOUR)
    month = {"id": "month", "name": "M", "amount": 100000, "period": "month", "timezone": zone, "owner": "me"}
    (world.folder / "budgets.yaml").write_text(json.dumps({"budgets": [month]}))
    world.job.close()
    settings = SETTINGS.model_copy(update={"zone": zone})
    world.job = Running(world.store, settings, world.log, world.folder, lambda: world.now)
    begins = [hour - 2 * HOUR, hour - HOUR, hour]
    world.insert(begins[:2], ["search"] * 2, [Decimal(3)] * 2)
    world.settle()
    found = "SELECT label, why, spent, p10, p50, p90 FROM budget_forecasts_now WHERE budget_id = 'month'"
    said = "2 whole hours are known yet: it takes 3 to say anything of days"
    assert world.rows(found) == [("refused", said, Decimal(6), None, None, None)]
    world.now += timedelta(minutes=2)
    world.settle()
    assert world.statuses("day").count("complete") == 1  # nothing new is known
    world.insert(begins[2:], ["search"], [Decimal(3)])
    world.now += HOUR
    world.settle()
    ((label, why, spent, p10, p50, p90),) = world.rows(found)
    assert (label, why, spent) == (
        "cold start",
        "3 hours are known and no whole day: by their mean, with a wide band",
        9,
    )
    assert spent < p10 < p50 < p90
    of_day = "SELECT dims, label, p50 FROM forecasts_now WHERE grain = 'day' AND budget_id = '' "
    of_day += "AND measure = 'effective_cost' ORDER BY dims, at LIMIT 1 BY dims"
    days = {tuple(dims): (label, float(p50)) for dims, label, p50 in world.rows(of_day)}
    assert days[()] == days[("team",)]
    assert days[()][0] == "cold start"
    assert days[()][1] == pytest.approx(72, rel=1e-6)
    world.now += timedelta(minutes=2)
    world.settle()
    assert world.statuses("day").count("complete") == 2


def test_nothing_is_seen_of_a_run_that_was_killed_and_the_next_job_makes_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was: what it has written stays invisible."""
    written: list[str] = []

    def dies(client: Any, table: str, *rest: Any) -> None:
        insert(client, table, *rest)
        written.append(table)
        if table == "forecasts":
            raise SystemExit("kill -9")

    monkeypatch.setattr(run_module, "insert", dies)
    world.job.handle()
    world.job.handle()
    until(lambda: world.job._under_way is None or world.job._under_way.result.done(), 60, "the end of the run")
    assert "forecasts" in written
    assert world.rows("SELECT count() FROM forecasts")[0][0] > 0
    assert world.rows("SELECT count() FROM forecasts_now") == [(0,)]
    monkeypatch.setattr(run_module, "insert", insert)
    world.now += timedelta(seconds=5)
    world.restart()
    world.settle()
    assert world.statuses() == ["running", "running", "complete"]
    runs = world.rows("SELECT DISTINCT run FROM forecasts_now WHERE grain = 'hour'")
    assert runs == world.rows("SELECT max(run) FROM forecast_runs WHERE grain = 'hour'")


def test_what_was_forecast_is_scored_once_it_is_over_each_cell_once(world: World) -> None:
    """However often the job begins anew; and quality stands beside the next forecast."""
    world.settle()
    world.book(NOW.replace(minute=0), 2)
    world.now += 2 * HOUR
    world.settle()
    assert world.statuses() == ["running", "complete", "running", "complete"]
    scores = "SELECT at, ahead, sum(n), sum(inside + below + above), sum(scaled) FROM forecast_scores FINAL "
    of_all = scores + "WHERE grain = 'hour' AND budget_id = '' AND dims = [] GROUP BY at, ahead ORDER BY at"
    first, second = NOW.replace(minute=0, tzinfo=None), NOW.replace(minute=0, tzinfo=None) + HOUR
    assert [row[:4] for row in world.rows(of_all)] == [(first, 3, 1, 1), (second, 3, 1, 1)]
    ask(world, world.now)
    world.now += timedelta(seconds=30)
    world.restart()
    world.settle()
    assert len(world.rows(of_all)) == 2
    assert sum(row[2] for row in world.rows(of_all)) == 2
    ((scored, coverage),) = world.rows(
        "SELECT any(scored), any(coverage) FROM forecasts_now WHERE grain = 'hour' AND budget_id = '' AND dims = []"
    )
    assert (scored, coverage) == (2, 1.0)
    ((seen,),) = world.rows("SELECT scored FROM forecast_quality WHERE grain = 'hour' AND budget_id = '' AND dims = []")
    assert seen == 2


def test_a_late_feed_makes_a_forecast_stale_and_never_smaller(world: World) -> None:
    """Records wait in Kafka: the hours since are not taken for hours without cost, and people are told since when."""
    world.settle()
    before = world.rows("SELECT budget_id, dims, vals, at, p50 FROM forecasts_now WHERE grain = 'hour' ORDER BY ALL")
    world.log.waiting = {0: 1}
    world.blocks.ends[0] = 0
    world.now += 2 * HOUR
    world.settle()
    assert world.statuses() == ["running", "complete"]
    world.now += running.PATIENCE
    world.settle()
    assert world.statuses() == ["running", "complete", "stale"]
    assert before == world.rows(
        "SELECT budget_id, dims, vals, at, p50 FROM forecasts_now WHERE grain = 'hour' ORDER BY ALL"
    )
    ((since, why),) = world.rows("SELECT DISTINCT stale_since, stale_why FROM forecasts_now WHERE grain = 'hour'")
    assert since is not None
    assert why.startswith("records wait to be booked, of partition 0, since ")
    world.settle()
    assert world.statuses().count("stale") == 1
    world.log.waiting = {}
    world.blocks.receipt(world.blocks.book(0, []))
    world.book(NOW.replace(minute=0), 2)
    world.now += timedelta(seconds=1)
    world.settle()
    assert world.statuses()[-1] == "complete"
    ((since,),) = world.rows("SELECT DISTINCT stale_since FROM forecasts_now WHERE grain = 'hour'")
    assert since is None


def test_a_store_that_does_not_answer_leaves_the_last_forecast_and_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is given up, noted as soon as that can be, and made again a minute later."""
    world.settle()
    count = world.rows("SELECT count() FROM forecasts_now")

    def away(*_: Any) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(run_module, "insert", away)
    world.book(NOW.replace(minute=0), 1)
    world.now += HOUR
    world.settle()
    assert world.statuses()[-1] == "failed"
    assert world.rows("SELECT count() FROM forecasts_now") == count
    assert world.rows("SELECT DISTINCT stale_why FROM forecasts_now WHERE grain = 'hour'") == [("away",)]
    monkeypatch.setattr(run_module, "insert", insert)
    world.now += timedelta(minutes=2)
    world.settle()
    assert world.statuses()[-1] == "complete"


def test_a_former_leader_that_stood_still_adds_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deadline has passed by the clock of the store, whatever its own says."""
    world.now = datetime.now(UTC) - timedelta(seconds=SETTINGS.limit_s + 5)
    world.settle()
    assert world.rows("SELECT count() FROM forecast_runs") == [(0,)]
    assert world.rows("SELECT count() FROM forecasts") == [(0,)]


def test_of_two_that_take_themselves_for_the_leader_the_later_run_is_seen(world: World) -> None:
    """Each writes a whole run; nothing of the two is mixed, and each cell that is over is scored once."""
    world.settle()
    world.book(NOW.replace(minute=0), 1)
    world.now += HOUR
    other = world.begin()
    try:
        world.settle()
        world.now += timedelta(seconds=1)
        world.settle(other)
    finally:
        other.close()
    runs = world.rows("SELECT DISTINCT run FROM forecasts_now WHERE grain = 'hour'")
    assert runs == world.rows("SELECT max(run) FROM forecast_runs WHERE grain = 'hour' AND status = 'complete'")
    assert world.statuses().count("complete") == 3
    ((count, cells),) = world.rows(
        "SELECT sum(n), uniqExact(at) FROM forecast_scores FINAL WHERE grain = 'hour' AND budget_id = '' AND dims = []"
    )
    assert (count, cells) == (1, 1)


def test_a_run_is_made_when_it_is_asked_for(world: World) -> None:
    """Once for each request, though nothing new is known."""
    world.settle()
    world.now += timedelta(minutes=1)
    world.settle()
    assert world.statuses() == ["running", "complete"]
    ask(world, world.now)
    world.now += timedelta(minutes=1)
    world.settle()
    world.settle()
    assert world.statuses().count("complete") == 2


def ask(world: World, at: datetime) -> None:
    """As `request` does, at that time."""
    asked = request(world.store, "hour", "me")
    world.store.command(
        "INSERT INTO forecast_runs (run, grain, status, at, by) "
        f"SELECT fromUnixTimestamp64Micro({unix_micros(at)}, 'UTC'), grain, status, at, by FROM forecast_runs "
        f"WHERE run = fromUnixTimestamp64Micro({unix_micros(asked)}, 'UTC') AND status = 'requested'"
    )

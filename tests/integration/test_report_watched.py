"""Budgets and alerts of the report, on a real store, from rows as the jobs write them."""

import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.base.json_values import json_values
from stream_jobs.budgets.standing import WINDOW_KEY
from stream_jobs.report.data import Watched
from stream_jobs.report.figures import Figures
from stream_jobs.report.queries import build
from stream_jobs.report.watched import TOP_VALUES, watched
from stream_jobs.store.tables import TABLES, arrow_table, insert
from tests.store_server import StoreProcess

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
_TABLES = ("budget_definitions", "budget_periods", "budget_crossings")
MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    rows = {
        "budget_definitions": [
            _definition("month", {"period": "month"}),
            _definition("team", {"period": {"rolling": "24h"}}),
            _definition("user", {"period": "day"}),
            _definition("refused", {}, note="refused: no such parent"),
            _definition("gone", {"period": "month"}),
            _definition("gone", {}, removed=True, at=START + HOUR),
        ],
        "budget_periods": [
            _period("month", *MARCH, "2026-03", amount=1000, spent=700, updated_at=START),
            _period("month", *MARCH, "2026-03", amount=1000, spent=900, thresholds=[80], updated_at=START + MINUTE),
            _period("month", MARCH[0] - 28 * 24 * HOUR, MARCH[0], "2026-02", amount=1000, spent=5),
            # A window's rows are those of the hours in which it ended: it was over, and no longer is.
            _period("team", START, START + HOUR, WINDOW_KEY, parent="month", amount=10, spent=20, thresholds=[100]),
            _period("team", START + 5 * HOUR, START + 6 * HOUR, WINDOW_KEY, parent="month", amount=10, spent=3),
            *(
                _period(
                    "user",
                    *(MARCH[0], MARCH[0] + 24 * HOUR, "2026-03-01"),
                    vals=[f"u{number}"],
                    per=["user_id"],
                    amount=10,
                    spent=number,
                    thresholds=[80, 100] if number >= 10 else [80] if number >= 8 else [],
                )
                for number in range(1, 13)
            ),
        ],
        "budget_crossings": [
            _crossing("month", *MARCH, "2026-03", 80, "up", START - HOUR),
            _crossing("month", *MARCH, "2026-03", 80, "down", START - HOUR / 2),
            _crossing("month", *MARCH, "2026-03", 80, "up", START + MINUTE),
            _crossing("month", *MARCH, "2026-03", 100, "up", START + MINUTE),
            _crossing("month", *MARCH, "2026-03", 100, "down", START + 2 * MINUTE),
            _crossing("month", MARCH[0] - 28 * 24 * HOUR, MARCH[0], "2026-02", 120, "up", START - 300 * HOUR),
            _crossing("team", START, START + HOUR, WINDOW_KEY, 100, "up", START + 5 * MINUTE),
            _crossing("team", START + 5 * HOUR, START + 6 * HOUR, WINDOW_KEY, 100, "down", START + 5 * HOUR),
            *(
                _crossing("user", MARCH[0], MARCH[0] + 24 * HOUR, "2026-03-01", 100, "up", START, vals=[f"u{number}"])
                for number in (10, 11, 12)
            ),
        ],
        "alert_events": [
            _event("a", 1, "opened", "open", START + MINUTE, severity="warning", money_usd=Decimal(0)),
            _event("a", 2, "escalated", "open", START + 2 * MINUTE, severity="critical", money_usd=Decimal("12.5")),
            _event("a", 3, "acknowledged", "acknowledged", START + 3 * MINUTE, severity="critical", by="mei",
                   money_usd=Decimal("12.5")),
            _event("a", 4, "ack_refused", "", START + 4 * MINUTE, by="noor"),
            _event("b", 5, "opened", "open", START + MINUTE, severity="error", money_usd=Decimal(1)),
            _event("b", 6, "resolved", "resolved", START + HOUR, severity="error", note="it is below"),
            _event("before", 7, "opened", "open", START - HOUR, severity="critical"),
            _event("after", 8, "opened", "open", START + 3 * HOUR, severity="critical"),
        ],
        "alert_deliveries": [
            _delivery("slack", "a", 1, "sending", START + MINUTE),
            _delivery("slack", "a", 1, "failed", START + MINUTE, attempt=1, answer="503"),
            _delivery("slack", "a", 1, "failed", START + MINUTE, attempt=1, answer="503"),  # the same, repeated
            _delivery("slack", "a", 1, "failed", START + 2 * MINUTE, attempt=2, answer="504"),
            _delivery("slack", "a", 1, "sent", START + 3 * MINUTE, attempt=3, told=["a"]),
            _delivery("slack", "a", 2, "sent", START + 4 * MINUTE, attempt=1),
            _delivery("page", "a", 1, "sent", START + MINUTE, attempt=1, told=["a", "b"]),
        ],
    }  # fmt: skip
    with store.connect() as client:
        for table, table_rows in rows.items():
            for number, row in enumerate(table_rows):
                insert(client, table, arrow_table(table, [row]), f"{table}-{number}")
    yield store
    store.kill()


@pytest.fixture(scope="module")
def random_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("random") / "store")
    yield store
    store.kill()


def _row(table: str, **values: Any) -> dict[str, Any]:
    """A row with everything that is not given at its column's nothing."""
    nothing: dict[str, Any] = {"string": "", "bool": False, "timestamp[us, tz=UTC]": START, "map<string, string>": {}}
    found = {}
    for field in TABLES[table]:
        kind = str(field.type)
        default = [] if kind.startswith("list") else Decimal(0) if kind.startswith("decimal") else nothing.get(kind, 0)
        found[field.name] = values.get(field.name, None if field.nullable and field.name not in values else default)
        if found[field.name] is None and not field.nullable:
            found[field.name] = default
    assert not values.keys() - found.keys()
    return found


def _definition(budget_id: str, document: dict[str, Any], at: datetime = START, **values: Any) -> dict[str, Any]:
    definition = json.dumps({"id": budget_id, **document})
    return _row("budget_definitions", budget_id=budget_id, at=at, origin="file", definition=definition, **values)


def _period(budget_id: str, start: datetime, end: datetime, key: str, **values: Any) -> dict[str, Any]:
    money = {name: Decimal(values.pop(name, 0)) for name in ("amount", "spent", "held")}
    thresholds = [Decimal(percent) for percent in values.pop("thresholds", [])]
    where = {"budget_id": budget_id, "period_start": start, "period_end": end, "period_key": key, "name": budget_id}
    return _row("budget_periods", **where, **money, thresholds=thresholds, **values)


def _crossing(
    budget_id: str, start: datetime, end: datetime, key: str, percent: int, direction: str, at: datetime, **values: Any
) -> dict[str, Any]:
    where = {"budget_id": budget_id, "period_start": start, "period_end": end, "period_key": key}
    crossing = {"kind": "actual", "threshold": Decimal(percent), "direction": direction, "at": at}
    return _row("budget_crossings", **where, **crossing, **values)


def _event(alert_id: str, position: int, change: str, status: str, at: datetime, **values: Any) -> dict[str, Any]:
    what = {"alert_id": alert_id, "position": position, "episode": 1, "change": change, "status": status, "at": at}
    return _row("alert_events", **what, kind="budget", summary=f"{alert_id} is over", **values)


def _delivery(receiver: str, group: str, revision: int, state: str, at: datetime, **values: Any) -> dict[str, Any]:
    told = values.pop("told", [])
    what = {"receiver": receiver, "group_id": group, "revision": revision, "key": f"{receiver}-{group}-{revision}"}
    return _row("alert_deliveries", **what, state=state, at=at, told=told, told_episode=[1] * len(told), **values)


def _watched(store: StoreProcess, start: datetime, end: datetime) -> Watched:
    with store.connect() as client:
        return build(client, start, end).watched


def test_a_budget_stands_where_its_latest_period_of_that_time_does(store: StoreProcess) -> None:
    """The last word on the month counts; children come below their parents; what is refused or gone is no budget."""
    found = _watched(store, START, START + HOUR)
    assert [(budget.budget_id, budget.depth) for budget in found.budgets] == [("month", 0), ("team", 1), ("user", 0)]
    assert found.defined == 3
    (month,) = found.budgets[0].standings
    assert (int(month.used), int(month.amount), month.over) == (900, 1000, False)
    assert (month.period_start, month.period_end) == MARCH
    (february,) = _watched(store, MARCH[0] - 48 * HOUR, MARCH[0]).budgets[0].standings
    assert february.used == 5


def test_thresholds_count_that_are_crossed_and_were_not_taken_back(store: StoreProcess) -> None:
    """With the instant of the last time; those of other periods belong to them."""
    (month,) = _watched(store, START, START + HOUR).budgets[0].standings
    assert [(int(item.percent), item.at) for item in month.crossed] == [(80, START + MINUTE)]


def test_a_rolling_window_stands_where_it_ended_in_that_time(store: StoreProcess) -> None:
    """Later it has fallen; a time of the past without a window has the first one that reaches back into it."""
    then, later, before = (
        next(budget for budget in _watched(store, start, start + HOUR).budgets if budget.budget_id == "team")
        for start in (START, START + 5 * HOUR, START - 3 * HOUR)
    )
    assert then.window == timedelta(hours=24)
    assert (int(then.standings[0].used), then.standings[0].over) == (20, True)
    assert [item.percent for item in then.standings[0].crossed] == [100]
    assert (int(later.standings[0].used), later.standings[0].over, later.standings[0].crossed) == (3, False, ())
    assert before.standings[0].used == 20
    assert "team" not in {budget.budget_id for budget in _watched(store, START - 30 * HOUR, START - 29 * HOUR).budgets}


def test_of_a_budget_per_value_the_top_five_are_shown_and_all_are_counted(store: StoreProcess) -> None:
    """Those that have used most of their amount, how many crossed a threshold, and how many are over."""
    user = _watched(store, START, START + HOUR).budgets[2]
    assert [item.values for item in user.standings] == [("u12",), ("u11",), ("u10",), ("u9",), ("u8",)]
    assert (user.all_values, user.crossed_values, user.over_values) == (12, 3, 2)


def test_alerts_are_those_that_were_opened_in_that_time_as_they_stand(store: StoreProcess) -> None:
    """The gravest first, with who looks after it, when it was over, and when each receiver heard of it."""
    found = _watched(store, START, START + 2 * HOUR)
    assert [alert.alert_id for alert in found.alerts] == ["a", "b"]
    assert found.all_alerts == 2
    first, second = found.alerts
    assert (first.opened_at, first.severity, first.money) == (START + MINUTE, "critical", Decimal("12.5"))
    assert (first.status, first.acknowledged_by, first.resolved_at) == ("acknowledged", "mei", None)
    assert [(told.receiver, told.at) for told in first.told] == [
        ("page", START + MINUTE),
        ("slack", START + 3 * MINUTE),
    ]
    assert (second.status, second.resolved_at, second.resolution) == ("resolved", START + HOUR, "it is below")
    assert [told.receiver for told in second.told] == ["page"]


def test_deliveries_are_counted_per_receiver(store: StoreProcess) -> None:
    """A repeated row counts once; what failed says why."""
    found = {line.receiver: line for line in _watched(store, START, START + 2 * HOUR).receivers}
    assert (found["slack"].sent, found["slack"].failed, found["slack"].problem) == (2, 2, "504")
    assert (found["page"].sent, found["page"].failed, found["page"].last_sent) == (1, 0, START + MINUTE)
    assert _watched(store, START - 2 * HOUR, START - HOUR).receivers == ()


def test_what_is_known_later_can_be_asked_for_an_earlier_time(store: StoreProcess) -> None:
    """Events of the past are watched when they come: `seen_until`."""
    with store.connect() as client:
        data = build(client, START, START + HOUR, seen_until=START + 4 * HOUR)
    assert {alert.alert_id for alert in data.watched.alerts} == {"a", "b", "after"}
    assert json_values(data)["watched"]["until"] == "2026-03-01T16:00:00Z"


VALUES = (
    *(
        (),
        ("a",),
        ("b",),
        ("a", "b"),
        ("1:a",),
        ("a1:b",),
        ("a\0b",),
        ("a", "b\0"),
        ("é'\"\\",),
        ("", "x"),
        ("x", ""),
        ("",),
    ),
)
"""Lists of values that look alike where they are joined carelessly."""
HOURS = {"24h": 24, "2d": 48, "7d": 168, "": 0}


def _any_budgets(rng: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Budgets that were defined anew, with periods of all kinds, some taken back, and crossings."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
    for budget_id in ("one", "two", "three"):
        for minute in sorted(rng.sample(range(400), rng.randrange(1, 4))):
            period = rng.choice([{"rolling": rng.choice(["24h", "2d", "7d"])}, "month"])
            refused = rng.choice(["", "", "refused: no"])
            row = _definition(
                budget_id, {"period": period}, START + MINUTE * minute, removed=rng.random() < 0.2, note=refused
            )
            found["budget_definitions"].append(row)
        for values in rng.sample(VALUES, rng.randrange(1, 8)):
            for _ in range(rng.randrange(1, 9)):
                day = MARCH[0] + 24 * HOUR * rng.randrange(10)
                hour = MARCH[0] + HOUR * rng.randrange(240)
                shift = HOUR * rng.choice([-14, -1, 0, 0, 5, 12])  # of its time zone
                month = rng.choice([2, 3])
                start, end, key = rng.choice(
                    [
                        (hour, hour + HOUR, WINDOW_KEY),
                        (day + shift, day + shift + 24 * HOUR, f"{day:%F}"),
                        (
                            datetime(2026, month, 1, tzinfo=UTC),
                            datetime(2026, month + 1, 1, tzinfo=UTC),
                            f"2026-0{month}",
                        ),
                    ]
                )
                for _ in range(rng.choice([1, 1, 2])):
                    figures = {
                        "amount": rng.choice([0, 1, 5, 10]),
                        "spent": rng.randrange(12),
                        "held": rng.randrange(3),
                    }
                    at = START + timedelta(microseconds=rng.randrange(10**12))
                    kept = rng.choice([key] * 6 + [""])
                    row = _period(budget_id, start, end, kept, vals=list(values), updated_at=at, **figures)
                    found["budget_periods"].append(row)
                for _ in range(rng.choice([0, 0, 1, 3, 6])):
                    begin = start + HOUR * rng.choice([0, 0, 0, -1, 1])
                    at = START + HOUR * rng.randrange(40)
                    percent, amount = rng.choice([(50, 0), (80, 0), (100, 0), (0, 5)])
                    row = _crossing(
                        budget_id,
                        begin,
                        begin + (end - start),
                        key,
                        percent,
                        rng.choice(["up", "down"]),
                        at,
                        vals=list(values),
                        threshold_amount=Decimal(amount),
                    )
                    found["budget_crossings"].append(row | {"kind": rng.choice(["actual", "actual", "forecast"])})
    return found


def _crossed(period: dict[str, Any], crossings: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    last: dict[tuple[Decimal, Decimal], tuple[datetime, bool]] = {}
    for row in crossings:
        same = all(row[name] == period[name] for name in ("budget_id", "vals", "period_key"))
        if same and row["kind"] == "actual" and row["period_start"] <= period["period_start"]:
            threshold, change = (row["threshold"], row["threshold_amount"]), (row["at"], row["direction"] == "down")
            last[threshold] = max(last.get(threshold, change), change)
    return sorted((*threshold, at) for threshold, (at, down) in last.items() if not down)


def _standing_in(rows: dict[str, list[dict[str, Any]]], start: datetime, until: datetime) -> dict[str, list[Any]]:
    """By budget (values, period's start, used, crossed), those first that have used most: counted one by one."""
    latest: dict[Any, dict[str, Any]] = {}
    for row in sorted(rows["budget_periods"], key=lambda row: row["updated_at"]):
        latest[row["budget_id"], row["period_start"], *row["vals"]] = row
    hours = {}
    for row in sorted(rows["budget_definitions"], key=lambda row: row["at"]):
        if not row["removed"] and not row["note"]:
            period = json.loads(row["definition"])["period"]
            hours[row["budget_id"]] = HOURS[period["rolling"] if isinstance(period, dict) else ""]
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in latest.values():
        window = row["period_key"] == WINDOW_KEY
        if row["period_key"] and row["period_end"] > start and (window or row["period_start"] < until):
            groups.setdefault((row["budget_id"], *row["vals"]), []).append(row)
    found: dict[str, list[Any]] = {}
    for group in groups.values():
        begun = [row for row in group if row["period_start"] < until]
        period = max(begun or group, key=lambda row: row["period_start"] if begun else until - row["period_start"])
        window = period["period_key"] == WINDOW_KEY
        if window and period["period_start"] - HOUR * hours.get(period["budget_id"], 0) >= until:
            continue
        used, amount = period["spent"] + period["held"], period["amount"]
        share = float(used) / float(amount) if amount else math.inf
        shown = (tuple(period["vals"]), period["period_start"], used, _crossed(period, rows["budget_crossings"]))
        found.setdefault(period["budget_id"], []).append((-share, -used, period["vals"], used > amount, shown))
    return {budget_id: sorted(standings) for budget_id, standings in found.items()}


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_budgets_stand_where_a_plain_count_of_their_rows_puts_them(random_store: StoreProcess, seed: int) -> None:
    """Whatever was defined, taken back and crossed, in any period, for values that look alike."""
    rng = random.Random(seed)
    rows = _any_budgets(rng)
    with random_store.connect() as client:
        for table, table_rows in rows.items():
            client.command(f"TRUNCATE TABLE {table}")
            insert(client, table, arrow_table(table, table_rows), f"{table}-{seed}")
        figures = Figures(client)
        for _ in range(12):
            start = MARCH[0] + HOUR * rng.randrange(-48, 260)
            until = start + timedelta(hours=rng.randrange(1, 300), microseconds=rng.choice([0, 1]))
            figures.period = {"start": start}
            wanted = _standing_in(rows, start, until)
            found = {budget.budget_id: budget for budget in watched(figures.rows, until).budgets}
            assert found.keys() == wanted.keys()
            for budget_id, budget in found.items():
                shown = [
                    (
                        item.values,
                        item.period_start,
                        item.used,
                        [(one.percent, one.amount, one.at) for one in item.crossed],
                    )
                    for item in budget.standings
                ]
                assert shown == [one[-1] for one in wanted[budget_id]][:TOP_VALUES]
                assert budget.all_values == len(wanted[budget_id])
                assert budget.over_values == sum(one[-2] for one in wanted[budget_id])
                assert budget.crossed_values == sum(bool(one[-1][-1]) for one in wanted[budget_id])

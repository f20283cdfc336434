"""Whatever a correction or a change of a budget touches is counted again, in every period that is kept, on the real
store and broker: history, alerts, what services are told, and the self-check are what the ledger holds."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from spendstream_schemas.budget_feed import HEARTBEAT_KEY
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.budgets import comparison, history, recount
from stream_jobs.budgets import job as job_module
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.record_producer import Record
from stream_jobs.runtime.topics import BUDGET_STATE
from stream_jobs.store.client import StoreClient
from tests.integration.budget_office import TABLES, Office, assert_all_equal_to_the_ledger, hurried
from tests.integration.budget_world import World, entry
from tests.integration.pipeline import until
from tests.store_server import StoreProcess
from tests.unit.producers.support import read_topic

pytestmark = pytest.mark.slow

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SEARCH = {
    "id": "search",
    "name": "Search",
    "scope": {"team": "search"},
    "amount": 10,
    "period": "day",
    "thresholds": {"actual": [100], "forecast": []},
}
USERS = {
    "id": "users",
    "name": "Users",
    "per": ["user_id"],
    "amount": 10,
    "period": "day",
    "thresholds": {"actual": [100], "forecast": []},
}


@pytest.fixture
def office(
    process: StoreProcess, broker: TansuBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    hurried(monkeypatch)
    with StoreClient(process.settings) as store:
        for table in TABLES:
            store.command(f"TRUNCATE TABLE {table}")
        office = Office(store, broker.address, tmp_path, World(store, uuid4().hex, store.now()))
        yield office
        office.close()


def spend(at: datetime, amount: int | str, **facts: str) -> dict[str, Any]:
    given = {"team": "search", "user_id": "u1", "model": "gpt-4o", **facts}
    return entry(random.Random(1), at, effective_cost=Decimal(amount), unpriced=0, unpriced_reason="", **given)


def adjusted(at: datetime, amount: int | str, **facts: str) -> dict[str, Any]:
    return spend(at, amount, **facts) | {"entry_kind": "adjustment", "events": 0}


def noon(office: Office, days_ago: int) -> datetime:
    return office.store.now().replace(hour=12, minute=0, second=0, microsecond=0) - days_ago * DAY


def midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("restarted", ["before", "after", "never"])
def test_a_correction_reaches_a_period_that_was_over_long_ago(office: Office, restarted: str) -> None:
    """The finding: an event over budget three weeks ago, a restart, and the price falls to a hundredth. History, alert
    and services follow; whether the restart was before or after the correction, or there was none."""
    office.write(SEARCH, USERS)
    office.restart()
    at = noon(office, 20)
    office.cycle(office.block([spend(at, 20), spend(at, 3, user_id="u2")]))
    office.settle()
    (alert,) = [one for one in office.alerts().values() if one.alert_id.startswith("budget/search/")]
    assert alert.status == "firing"
    assert office.history("search") == {(midnight(at), ()): (Decimal(23), 0)} | today(office)
    if restarted == "before":
        office.restart()
        office.settle()
    office.correct("run-1/0", [adjusted(at, "-19.8")])
    if restarted == "after":
        office.restart()
    office.cycle()
    office.settle()
    assert office.history("search")[midnight(at), ()] == (Decimal("3.2"), 0)
    assert office.history("users") == {
        (midnight(at), ("u1",)): (Decimal("0.2"), 0),
        (midnight(at), ("u2",)): (Decimal(3), 0),
    }
    assert office.alerts()[alert.alert_id].status == "resolved"
    assert office.store.rows(
        "SELECT direction FROM budget_crossings WHERE budget_id = 'search' ORDER BY at DESC LIMIT 1"
    ) == [("down",)]
    assert office.difference() == 0


def today(office: Office) -> dict[tuple[datetime, tuple[str, ...]], tuple[Decimal, int]]:
    """Nothing was spent."""
    return {(midnight(office.store.now()), ()): (Decimal(0), 0)}


def test_what_was_taken_back_just_before_a_crash_is_told_by_the_next(office: Office) -> None:
    """The crossing is recorded, and the job dies before anybody hears of it: the alert would be open for ever."""
    office.write(SEARCH)
    office.restart()
    now = office.store.now()
    office.cycle(office.block([spend(now, 20)]))
    office.settle()
    (alert,) = office.alerts().values()
    assert alert.status == "firing"
    office.correct("run-1/0", [adjusted(now, -19)])

    def away(topic: str, records: Iterable[Record]) -> int:
        raise BrokerUnavailableError(topic)

    office.running._producer.send = away  # type: ignore[method-assign]
    with pytest.raises(BrokerUnavailableError):
        office.cycle()
    assert office.store.rows("SELECT toString(direction) FROM budget_crossings ORDER BY at") == [("up",), ("down",)]
    office.restart()
    office.settle()
    (alert,) = office.alerts().values()
    assert (alert.status, alert.value) == ("resolved", Decimal(1))
    assert office.store.rows("SELECT count() FROM budget_crossings") == [(2,)]
    office.restart()
    office.settle()
    assert_all_equal_to_the_ledger(office)


@pytest.mark.parametrize("kind", ["other", "missing"])
def test_the_check_finds_what_was_said_wrong_of_a_period_long_over(
    office: Office, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """Whatever the cause, which here nobody heard of: the check says how much is wrong, and it is counted again."""
    office.write(SEARCH, USERS)
    office.restart()
    days = [noon(office, age) for age in (5, 20, 40, 200)]
    rows = [spend(at, 2 * number, user_id=user) for number, at in enumerate(days, 1) for user in ("u1", "u2")]
    office.cycle(office.block(rows))
    office.settle()
    wanted = {(midnight(row["occurred_at"]), (row["user_id"],)): (row["effective_cost"], 0) for row in rows}
    assert office.history("users") == wanted
    wrong = "spent = 7" if kind == "other" else "period_key = ''"
    where = f"budget_id = 'users' AND vals = ['u2'] AND period_start = '{midnight(days[2]):%Y-%m-%d %H:%M:%S}'"
    office.store.command(f"ALTER TABLE budget_periods UPDATE {wrong} WHERE {where} SETTINGS mutations_sync = 1")
    assert office.history("users") != wanted
    found: list[float] = []

    def seen() -> bool:
        office.cycle()
        found.append(office.difference())
        return office.history("users") == wanted

    until(seen, 30, "a check that finds it")
    if kind == "other":  # of what nobody said nothing can be wrong
        assert max(found) == 1
        assert "something else was said than the ledger holds" in caplog.text

    def well() -> bool:
        office.cycle()
        return office.difference() == 0

    until(well, 30, "a check that finds nothing any more")


def test_what_a_busy_past_says_is_no_difference(office: Office) -> None:
    """Late events come all the time: what is not recorded yet is not wrong."""
    office.write(SEARCH, USERS)
    office.restart()
    for number in range(10):
        office.cycle(office.block([spend(noon(office, age), 1) for age in (3, 30)], partition=number % 2))
        assert office.difference() == 0


WEEKLY = SEARCH | {"id": "weekly", "period": "week"}
EVERY_USER = USERS | {"id": "users", "period": "day"}


@pytest.mark.parametrize(
    ("zone", "running"),
    [
        ("Pacific/Kiritimati", True),
        ("America/Los_Angeles", False),
        ("Pacific/Kiritimati", False),
        ("America/Los_Angeles", True),
    ],
)
def test_another_time_zone_has_other_periods_at_once(office: Office, zone: str, running: bool) -> None:
    """Those of before are no longer said, to people or to services; also when it was changed while nobody counted."""
    office.write(SEARCH, USERS, WEEKLY)
    office.restart()
    now = office.store.now()
    old = [spend(noon(office, 10), 5), spend(midnight(noon(office, 10)) + HOUR, 7, user_id="u2")]
    office.cycle(office.block([*old, spend(now, 2), spend(midnight(now), 1, user_id="u2")]))
    office.settle()
    others = {"week_starts_on": "wednesday", "timezone": zone}
    if running:
        office.write(SEARCH, USERS, WEEKLY, **others)
    else:
        office.close()
        office.job = None
        office.write(SEARCH, USERS, WEEKLY, **others)
        office.restart()
    for _ in range(4):
        office.cycle()
    office.settle()
    assert_all_equal_to_the_ledger(office)


@pytest.mark.parametrize(
    ("change", "running"),
    [
        ("zone", True),
        ("dates", False),
        ("total", True),
        ("zone", False),
        ("dates", True),
        ("total", False),
    ],
)
def test_periods_from_before_a_calendar_begins_are_no_longer_said(office: Office, change: str, running: bool) -> None:
    """A list of dates, or a total, begins later than what was said of the budget: in another time zone, by other dates,
    or because it had a list before."""
    now = office.store.now()
    dates = [(now + timedelta(days=days)).date() for days in (-100, -40, -5, 30)]
    budgets = [one | {"period": {"calendar": "own"}} for one in (SEARCH, USERS)]
    office.write(*budgets, timezone="Europe/Berlin", calendars={"own": dates})
    office.restart()
    office.cycle(office.block([spend(noon(office, age), 5) for age in (0, 10, 45, 90, 95)]))
    office.settle()
    if not running:
        office.close()
        office.job = None
    if change == "total":
        budgets = [one | {"period": "total", "valid_from": dates[1]} for one in (SEARCH, USERS)]
    zone = "America/Los_Angeles" if change == "zone" else "Europe/Berlin"
    office.write(*budgets, timezone=zone, calendars={"own": dates[1:] if change == "dates" else dates})
    if not running:
        office.restart()
    for _ in range(4):
        office.cycle()
    office.settle()
    assert_all_equal_to_the_ledger(office)


@pytest.mark.parametrize("at_once", [9, 100_000])
def test_a_correction_of_many_values_reaches_each_of_them(
    office: Office, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """More than a parameter names, with any characters, in periods that are compared together or one by one."""
    monkeypatch.setattr(comparison, "ROWS_AT_ONCE", at_once)
    monkeypatch.setattr(recount, "AT_ONCE", at_once)
    office.write(USERS)
    office.restart()
    users = [f"u{number}/'\\ß" for number in range(70)]
    days = (10, 11, 40)
    office.cycle(office.block([spend(noon(office, age), 5, user_id=user) for age in days for user in (*users, "x")]))
    office.settle()
    office.restart()
    office.settle()
    office.correct("run-1/0", [adjusted(noon(office, age), -number % 5, user_id=user)
                               for age in days for number, user in enumerate(users, 1)])  # fmt: skip
    office.cycle()
    office.settle()
    assert_all_equal_to_the_ledger(office)


@pytest.mark.parametrize("at_once", [7, 100_000])
def test_many_values_are_told_as_they_are_worked_out(
    office: Office, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """All of them, once, and between any two portions that somebody keeps count: no guard takes what it knows for
    stale because the first cycle is long."""
    monkeypatch.setattr(job_module, "TOLD_AT_ONCE", at_once)
    monkeypatch.setattr(history, "ROWS_AT_ONCE", at_once)
    office.write(SEARCH, USERS)
    office.world.now = office.store.now()
    office.world.block(0, [spend(office.world.now, 1 + number % 9, user_id=f"u{number}") for number in range(40)])
    before = len(read_topic(office.broker, BUDGET_STATE))
    office.restart()
    office.cycle()
    keys = [(message.key() or b"").decode() for message in read_topic(office.broker, BUDGET_STATE)[before:]]
    told = [key for key in keys if key == HEARTBEAT_KEY or key.startswith("state/users/")]
    runs = [len(list(run)) for is_beat, run in groupby(told, HEARTBEAT_KEY.__eq__) if not is_beat]
    assert sum(runs) == 40
    assert max(runs) == min(at_once, 40)
    assert told[-1] == HEARTBEAT_KEY
    office.settle()
    assert_all_equal_to_the_ledger(office)


@pytest.mark.parametrize("running", [True, False])
def test_another_scope_has_periods_in_which_there_was_nothing_before(
    office: Office, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    """From the first on that is kept: not what was before the budget."""
    monkeypatch.setattr(recount, "UNRECORDED", timedelta(0))  # what was booked lately is looked at anyway
    before = spend(noon(office, 30), 2, team="ads")
    office.world.now = office.store.now() - timedelta(hours=2)
    office.world.block(0, [before])
    office.write(SEARCH, USERS | {"scope": {"team": "search"}})
    office.restart()
    office.cycle(office.block([spend(noon(office, 20), 3), spend(noon(office, 10), 4, team="ads")]))
    office.settle()
    if not running:
        office.close()
        office.job = None
    office.write(SEARCH | {"scope": {"team": "ads"}}, USERS | {"scope": {"team": "ads"}})
    if not running:
        office.restart()
    for _ in range(4):
        office.cycle()
    office.settle()
    office.world.rows.remove(before)
    assert_all_equal_to_the_ledger(office)


@pytest.mark.parametrize("running", [False, True])
def test_another_scope_is_counted_in_every_period_that_is_kept(office: Office, running: bool) -> None:
    """History says what the budget looks at now, also of values that it did not have before."""
    office.write(SEARCH, USERS)
    office.restart()
    rows = [spend(noon(office, age), 3, team=team) for age in (0, 1, 10, 50) for team in ("search", "ads")]
    office.cycle(office.block(rows))
    office.settle()
    if not running:
        office.close()
        office.job = None
    changed = SEARCH | {"scope": {"team": "ads"}}
    office.write(changed, USERS | {"per": ["team"], "scope": {"team": {"none_of": ["search"]}}})
    if not running:
        office.restart()
    for _ in range(4):
        office.cycle()
    office.settle()
    assert set(office.history("users").values()) == {(Decimal(3), 0)}
    assert {values for _, values in office.history("users")} == {("ads",)}
    assert_all_equal_to_the_ledger(office)

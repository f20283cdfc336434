"""Budgets through everything at once, on the real store and a real broker: charges and corrections of any age, deltas
that come late, twice or never, restarts, rebalances, credits, and changes of time zone, week start and scope. Once all
is read, budgets, history, alerts, views, the guards' feed and the self-check are what the ledger holds, in every period
that is kept."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.budget_terms.credits import Credit
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime.ports import free_port
from stream_jobs.runtime.record_producer import Record
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.series.delta import Delta
from stream_jobs.store.client import StoreClient
from tests.integration.budget_office import TABLES, Office, assert_all_equal_to_the_ledger, hurried
from tests.integration.budget_world import World, taken_back
from tests.store_server import StoreProcess

ONLY_ACTUAL = {"thresholds": {"actual": [100], "forecast": []}}
BUDGETS = (
    {"id": "days", "name": "Days", "amount": 20, "period": "day", "scope": {"team": "a"}, **ONLY_ACTUAL},
    {"id": "weeks", "name": "Weeks", "amount": 40, "period": "week", **ONLY_ACTUAL},
    {"id": "users", "name": "Users", "amount": 10, "period": "day", "per": ["user_id"], **ONLY_ACTUAL},
    {"id": "months", "name": "Months", "amount": 60, "period": "month", "per": ["team"], **ONLY_ACTUAL},
    {"id": "tenants", "name": "Tenants", "amount": 15, "period": "day", "per": ["labels.a.b"], **ONLY_ACTUAL},
    {
        "id": "places",
        "name": "Places",
        "amount": 30,
        "period": "week",
        "scope": {"source": ["s*", "x"], "labels.a.b": {"none_of": ["t2"]}},
        "per": ["region"],
        **ONLY_ACTUAL,
    },
    {"id": "tokens", "name": "Tokens", "measure": "tokens", "amount": 3_000, "period": "month", **ONLY_ACTUAL},
    {
        "id": "ever",
        "name": "Never resets",
        "amount": 90,
        "period": "total",
        "valid_from": (datetime.now(UTC) - timedelta(days=210)).date(),
        **ONLY_ACTUAL,
    },
    {"id": "listed", "name": "Listed", "amount": 50, "period": {"calendar": "own"}, "per": ["team"], **ONLY_ACTUAL},
    {
        "id": "carry",
        "name": "Carries over",
        "amount": 1_000_000,
        "period": "month",
        "carry_over": {"unused": True, "overspend": True, "since": "2026-09-01"},
        **ONLY_ACTUAL,
    },
)
CALENDARS = {"own": [(datetime.now(UTC) + timedelta(days=days)).date() for days in (-190, -40, -4, 30)]}
ZONES = ("UTC", "Asia/Kolkata", "Pacific/Kiritimati", "America/Los_Angeles", "Europe/Berlin")
SCOPES: tuple[dict[str, Any], ...] = (
    *({"team": "a"}, {"team": "b"}, {"team": {"none_of": ["a"]}}, {}),
    *(
        {"team": "?*"},
        {"labels.a.b": "t*"},
        {"labels.a.b": {"missing": True}},
        {"source": "s2", "region": ["eu*", "us"]},
    ),
)
FIRST = 250
"""Days ago: before that there was no budget. History is complete from the first period on that is kept."""
DAYS_AGO = st.sampled_from([0, 0, 0, 1, 3, 9, 20, 33, 50, 200])
FACTS = st.fixed_dictionaries(
    {"team": st.sampled_from(["a", "b"]), "user_id": st.sampled_from(["u1", "u2", ""])},
    optional={
        "source": st.sampled_from(["s1", "s2", "x"]),
        "region": st.sampled_from(["eu-1", "us"]),
        "labels.a.b": st.sampled_from(["t1", "t2"]),
    },
)
CHARGES = st.lists(st.tuples(DAYS_AGO, st.integers(0, 1439), FACTS, st.integers(0, 25)), min_size=1, max_size=4)


class Machine(RuleBasedStateMachine):
    """See the module."""

    store: ClassVar[StoreClient]
    folder: ClassVar[Path]

    @initialize()
    def begin(self) -> None:
        for table in TABLES:
            self.store.command(f"TRUNCATE TABLE {table}")
        name = uuid4().hex
        folder = self.folder / name
        folder.mkdir()
        self.broker = TansuBroker(free_port(), self.folder / f"{name}-broker")
        self.broker.start()
        self.office = Office(self.store, self.broker.address, folder, World(self.store, name, self.store.now()))
        self.shared: dict[str, Any] = {}
        self.scope: dict[str, Any] = SCOPES[0]
        self.waiting: list[list[Delta]] = [[], []]
        self.seen: list[Delta] = []
        self.runs = 0
        self._write()
        self.office.restart()
        teams = [{"team": team, "user_id": user} for team in ("a", "b") for user in ("u1", "u2")]
        self.seen.append(self.office.block([self._row((FIRST, 0, facts, 1)) for facts in teams]))
        self.office.cycle(*self.seen)
        self.office.settle()

    def _write(self) -> None:
        budgets = [budget | {"scope": self.scope} if budget["id"] == "days" else budget for budget in BUDGETS]
        self.office.write(*budgets, calendars=CALENDARS, **self.shared)

    def _row(self, charge: tuple[int, int, dict[str, str], int]) -> dict[str, Any]:
        days, minutes, facts, amount = charge
        now = self.store.now()
        return {
            "occurred_at": now - timedelta(days=days, minutes=min(minutes, 5) if days == 0 else minutes),
            "model": "gpt-4o",
            "entry_kind": "charge",
            "effective_cost": Decimal(amount) if amount else None,
            "unpriced_reason": "" if amount else "unknown_model",
            "events": 1,
            "unpriced": 0 if amount else 1,
            "held_cost": Decimal("0.75") if not amount and minutes % 2 else None,  # its model is known
            "input_tokens": 100 * amount,
            "output_tokens": 1,
            **facts,
        }

    # -- what is booked

    @rule(labels=st.sampled_from([(), ("other",), ("a.b",)]))
    def tell(self, labels: tuple[str, ...]) -> None:
        """Writers of deltas are told of other labels, or of none."""
        self.office.world.labels = labels

    @rule(partition=st.integers(0, 1), charges=CHARGES)
    def book(self, partition: int, charges: list[tuple[int, int, dict[str, str], int]]) -> None:
        self.waiting[partition].append(self.office.block([self._row(one) for one in charges], partition))

    @rule(charge=st.tuples(DAYS_AGO, st.integers(0, 1439), FACTS, st.integers(1, 25)), back=st.booleans())
    def correct(self, charge: tuple[int, int, dict[str, str], int], back: bool) -> None:
        """A price that rose, or fell."""
        row = self._row(charge) | {"entry_kind": "adjustment", "events": 0, "input_tokens": 0, "output_tokens": 0}
        self._post([row | {"effective_cost": -row["effective_cost"]} if back else row])

    @precondition(lambda self: self.office.world.rows)
    @rule(data=st.data(), facts=FACTS)
    def attribute_anew(self, data: st.DataObject, facts: dict[str, str]) -> None:
        """What was booked is another's."""
        row = data.draw(st.sampled_from(self.office.world.rows))
        self._post([taken_back(row) | {"entry_kind": "adjustment"}, row | {"entry_kind": "adjustment", **facts}])

    @rule(
        budget=st.sampled_from(["days", "weeks", "months", "tokens", "ever", "users"]),
        amount=st.integers(-25, 40).filter(bool),
        days=st.sampled_from([0, 0, 1, 9, 33]),
        team=st.sampled_from(["a", "b"]),
        times=st.integers(1, 2),
    )
    def credit(self, budget: str, amount: int, days: int, team: str, times: int) -> None:
        """To a period of now or long over, of one value; the record comes once or twice."""
        budgets = self.office.running._book.budgets
        defined = budgets.get(budget)
        assert defined is not None
        calendar = budgets.calendar_of(defined)
        period = calendar.period_at(self.store.now() - timedelta(days=days))
        assert period is not None
        values = {"months": (team,), "users": ("u1",)}.get(budget, ())
        key = calendar.period_key(period)
        self.office.credit(budget, Credit(amount=Decimal(amount), values=values, period=key), times)

    def _post(self, rows: list[dict[str, Any]]) -> None:
        self.runs += 1
        self.office.correct(f"run-{self.runs}/0", rows)

    # -- what the job hears

    @rule(first=st.integers(0, 5), second=st.integers(0, 5), again=st.integers(0, 2))
    def read(self, first: int, second: int, again: int) -> None:
        taken = [*self.waiting[0][:first], *self.waiting[1][:second]]
        del self.waiting[0][:first], self.waiting[1][:second]
        self.seen += taken
        self.office.cycle(*taken, *self.seen[-again:] if again else ())

    @rule(partition=st.integers(0, 1))
    def lose(self, partition: int) -> None:
        """A delta never arrives; a later one does, or the job is told by looking. Of the first one after a start only
        the check tells."""
        follower = self.office.running._book.follower
        if self.waiting[partition] and self.waiting[partition][0].origin in follower.next_offset:
            del self.waiting[partition][0]

    @rule()
    def restart(self) -> None:
        """After a crash: what was not recorded is lost. What waits is still read."""
        self.office.restart()

    @rule(partition=st.integers(0, 1))
    def die_before_anybody_is_told(self, partition: int) -> None:
        """What was crossed, or taken back, is recorded; its signals are not sent."""
        running = self.office.running
        send = running._producer.send

        def dies(topic: str, records: Iterable[Record]) -> int:
            if topic == ALERTS:
                raise BrokerUnavailableError(topic)
            return send(topic, records)

        running._producer.send = dies  # type: ignore[method-assign]
        self.seen += self.waiting[partition]
        taken, self.waiting[partition] = self.waiting[partition], []
        with contextlib.suppress(BrokerUnavailableError):
            self.office.cycle(*taken)
        self.office.restart()

    @rule()
    def rebalance(self) -> None:
        self.office.rebalance()

    @rule(zone=st.sampled_from(ZONES), day=st.sampled_from(["monday", "sunday", "wednesday"]), running=st.booleans())
    def other_periods(self, zone: str, day: str, running: bool) -> None:
        self.shared = {"timezone": zone, "week_starts_on": day}
        self._change(running=running)

    @rule(scope=st.sampled_from(SCOPES), running=st.booleans())
    def other_scope(self, scope: dict[str, Any], running: bool) -> None:
        self.scope = scope
        self._change(running=running)

    def _change(self, *, running: bool) -> None:
        if not running:
            self.office.close()
            self._write()
            self.office.restart()
            return
        self._write()
        for _ in range(2):  # a file that is being written is not read
            self.office.cycle()

    @rule()
    def compare(self) -> None:
        """What is read once everything has come."""
        for deltas in self.waiting:
            self.seen += deltas
        self.office.cycle(*self.waiting[0], *self.waiting[1])
        self.waiting = [[], []]
        self.office.look_behind()
        self.office.settle()
        assert_all_equal_to_the_ledger(self.office)

    def teardown(self) -> None:
        if hasattr(self, "office"):
            try:
                self.compare()
            finally:
                self.office.close()
                self.broker.stop()


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


def run(store: StoreClient, folder: Path, monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> None:
    hurried(monkeypatch)
    Machine.store, Machine.folder = store, folder
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            phases=[
                Phase.explicit,
                Phase.reuse,
                Phase.generate,
            ],  # each try takes seconds: what failed is shown as it was
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(900)  # three minutes alone, and up to five beside the other slow ones
def test_budgets_are_the_ledgers_through_everything(
    store: StoreClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some ways through everything, each of them new with each run."""
    run(store, tmp_path, monkeypatch, 8, 20)

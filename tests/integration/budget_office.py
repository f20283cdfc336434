"""The budgets job on a real store and a real broker, without the rest of the pipeline: what comes is handed to it, and
what people and services read of it is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from spendstream_schemas.budget_feed import BudgetState
from spendstream_schemas.scope import in_scope
from stream_jobs.base.instants import as_utc
from stream_jobs.base.money import usd_from_pico
from stream_jobs.budget_terms.control import BudgetChange, change_to_json
from stream_jobs.budget_terms.credits import Credit, credited_period
from stream_jobs.budget_terms.document import FILE_NAME, Budget
from stream_jobs.budgets import job as job_module
from stream_jobs.budgets import recount, speaker
from stream_jobs.budgets.book import KEEP_NOTIFIED, Place
from stream_jobs.budgets.job import BudgetsJob, Running
from stream_jobs.budgets.signals import alert_id
from stream_jobs.budgets.status import change_outcome
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.metrics import BUDGET_DIFFERENCE
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import ALERTS, BUDGET_CONTROL, BUDGET_STATE
from stream_jobs.series.calendar import Period
from stream_jobs.series.delta import Delta, messages
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import SourceRecord
from tests.integration.budget_world import World, flat
from tests.integration.pipeline import until
from tests.unit.producers.support import read_topic

TABLES = (
    *("ledger", "adjustment_chunks", "budget_definitions", "budget_credits", "budget_crossings", "budget_periods"),
)
AT_EVERY_TURN = ("HEARTBEAT_S", "CORRECTIONS_S", "CONTROL_S", "FILE_S", "HISTORY_S", "CHECK_S")


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the job does every so many seconds it does in every cycle."""
    for name in AT_EVERY_TURN:
        monkeypatch.setattr(job_module, name, 0.0)
    monkeypatch.setattr(recount, "AGAIN_AFTER", timedelta(0))
    monkeypatch.setattr(speaker, "RESOLVE_S", 0.0)


@dataclass
class Office:
    """A folder with budgets.yaml, and the job that reads it."""

    store: StoreClient
    broker: str
    folder: Path
    world: World
    job: BudgetsJob | None = None
    sent: list[Delta] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    credited: list[tuple[str, str, Period, tuple[str, ...], Decimal]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kafka = embedded_kafka(self.broker)
        for topic in (ALERTS, BUDGET_CONTROL, BUDGET_STATE):
            ensure_topics(self.kafka, [TopicSpec(topic, 1, 1, {})])

    def write(self, *budgets: Mapping[str, Any], **document: Any) -> None:
        self.document = {"budgets": list(budgets), **document}
        (self.folder / FILE_NAME).write_text(json.dumps(self.document, default=str))

    @property
    def running(self) -> Running:
        assert self.job is not None
        assert self.job._running is not None
        return self.job._running

    def restart(self) -> None:
        """As after a crash, or a rebalance: what was not recorded is lost."""
        if self.job is not None:
            self.job.end()
        self.job = BudgetsJob(self.store, self.kafka, self.folder)
        self.job.begin()

    def rebalance(self) -> None:
        """The same process gets the feed again."""
        assert self.job is not None
        self.job.begin()

    def close(self) -> None:
        if self.job is not None:
            self.job.end()

    def block(self, entries: list[dict[str, Any]], partition: int = 0) -> Delta:
        self.world.now = self.store.now()
        return self.world.block(partition, entries)

    def correct(self, run: str, entries: list[dict[str, Any]]) -> None:
        self.world.now = self.store.now()
        self.world.correct(run, entries)

    def credit(self, budget_id: str, credit: Credit, times: int = 1) -> None:
        """As the command does it, once or more; until it is taken up."""
        running = self.running
        budget = running._book.budgets.get(budget_id)
        assert budget is not None
        calendar = running._book.budgets.calendar_of(budget)
        period = credited_period(budget, calendar, credit, self.store.now())
        self.credited.append((budget_id, calendar.period_key(period), period, credit.values, credit.amount))
        change = BudgetChange(
            schema_version=1, change_id=uuid4().hex, budget_id=budget_id, at=self.store.now(), by="a@b", credit=credit
        )
        producer = RecordProducer(self.kafka)
        try:
            producer.send(BUDGET_CONTROL, [(budget_id.encode(), change_to_json(change))] * times)
        finally:
            producer.close()

        def taken_up() -> bool:
            self.cycle()
            return change_outcome(self.store, change.change_id) == ""

        until(taken_up, 30, "a credit that is taken up")

    def cycle(self, *deltas: Delta) -> None:
        assert self.job is not None
        values = [message for delta in deltas for message in messages(delta)]
        self.job.handle([SourceRecord(number, None, None, value) for number, value in enumerate(values)])

    def look_behind(self) -> None:
        """As after some seconds without a delta: a block that nobody told of is looked for."""
        book, running = self.running._book, self.running
        running._seen = running._sums.vector(self.store.now() - job_module.BEHIND_SINCE)
        running._look_behind.soon()
        self.cycle()
        assert not book.follower.is_behind(running._seen)

    def settle(self) -> None:
        """Cycles until nothing is left to be looked at."""

        def settled() -> bool:
            self.cycle()
            return self.running._recount.is_idle

        for _ in range(2):
            until(settled, 120, "a job that has looked at everything")
        self.cycle()

    def credit_in(self, budget_id: str, period: Period, values: tuple[str, ...]) -> Decimal:
        """What a period of now has of credits: of those whose key it has, and of those that nobody's key it is any more
        and whose middle it holds."""
        budget = self.running._book.budgets.get(budget_id)
        assert budget is not None
        calendar = self.running._book.budgets.calendar_of(budget)
        total = Decimal(0)
        for credited_id, key, meant, whose, amount in self.credited:
            if (credited_id, whose) != (budget_id, values):
                continue
            around = calendar.boundaries(meant.start - timedelta(days=2), meant.end + timedelta(days=2))
            keys = {calendar.period_key(Period(*bounds)): Period(*bounds) for bounds in pairwise(around)}
            if keys.get(key, calendar.period_at(meant.start + (meant.end - meant.start) / 2)) == period:
                total += amount
        return total

    # -- what is read

    def history(self, budget_id: str) -> dict[tuple[datetime, tuple[str, ...]], tuple[Decimal, int]]:
        """Spent and unpriced of each period and values, as budget_history has it."""
        return {key: (spent, count) for key, (spent, count, _) in self.whole_history(budget_id).items()}

    def whole_history(self, budget_id: str) -> dict[tuple[datetime, tuple[str, ...]], tuple[Decimal, int, Decimal]]:
        """With what is held."""
        rows = self.store.rows(
            "SELECT period_start, vals, spent, unpriced_events, held FROM budget_history WHERE budget_id = {id:String}",
            {"id": budget_id},
        )
        found = cast(list[tuple[datetime, list[str], Decimal, int, Decimal]], rows)
        return {(as_utc(start), tuple(vals)): (spent, int(count), held) for start, vals, spent, count, held in found}

    def status(self, budget_id: str) -> dict[tuple[str, ...], tuple[datetime, datetime, Decimal]]:
        """Start, end and spend of what each combination of values has now."""
        rows = self.store.rows(
            "SELECT vals, period_start, period_end, spent FROM budget_status WHERE budget_id = {id:String}",
            {"id": budget_id},
        )
        found = cast(list[tuple[list[str], datetime, datetime, Decimal]], rows)
        return {tuple(vals): (as_utc(start), as_utc(end), spent) for vals, start, end, spent in found}

    def alerts(self) -> dict[str, AlertSignal]:
        """The last signal of each alert."""
        found: dict[str, AlertSignal] = {}
        for message in read_topic(self.broker, ALERTS):
            signal = AlertSignal.model_validate_json(message.value() or b"")
            found[signal.alert_id] = signal
        return found

    def states(self) -> dict[str, BudgetState]:
        """What the guards know: by key, the last that was not taken back."""
        found: dict[str, BudgetState] = {}
        for message in read_topic(self.broker, BUDGET_STATE):
            key = (message.key() or b"").decode()
            if not key.startswith("state/"):
                continue
            found.pop(key, None)
            if (value := message.value()) is not None:
                found[key] = BudgetState.model_validate_json(value)
        return found

    @staticmethod
    def difference() -> float:
        """What the self-check says."""
        return BUDGET_DIFFERENCE._value.get()  # type: ignore[no-any-return]


def counted(budget: Budget, row: Mapping[str, Any]) -> Decimal:
    """What a row adds to a budget."""
    if budget.measure == "tokens":
        return Decimal(row["input_tokens"] + row["output_tokens"])
    return row["effective_cost"] or Decimal(0)


def assert_all_equal_to_the_ledger(office: Office) -> None:
    """By plain addition of the rows: each row of the history, what stands now, the guard's feed, the alerts that fire,
    and the check."""
    budgets = office.running._book.budgets
    states, alerts = office.states(), office.alerts()
    now = office.store.now()
    for budget in budgets:
        calendar = budgets.calendar_of(budget)
        series = budgets.series_of(budget)
        sums: dict[tuple[datetime, tuple[str, ...]], tuple[Decimal, int, Decimal, int]] = {}
        for row in office.world.rows:
            values = tuple(row.get(name, "") for name in budget.per)
            if not in_scope(series.scope, {key: str(value) for key, value in row.items()}) or "" in values:
                continue
            period = calendar.period_at(row["occurred_at"])
            if period is None:  # before a total began, or a list of dates
                continue
            spent, unpriced, held, unknown = sums.get((period.start, values), (Decimal(0), 0, Decimal(0), 0))
            sums[period.start, values] = (
                spent + counted(budget, row),
                unpriced + row["unpriced"],
                held + (row.get("held_cost") or 0),
                unknown + flat(row),
            )
        bound, holds = usd_from_pico(budgets.unpriced_upper_bound_pico(budget)), int(budget.measure == "cost")
        wanted = {
            key: (spent, unpriced, holds * (max(held, Decimal(0)) + max(0, unknown) * bound))
            for key, (spent, unpriced, held, unknown) in sums.items()
        }
        history = office.whole_history(budget.id)
        nothing = (Decimal(0), 0, Decimal(0))
        different = {
            key: (history.get(key), wanted.get(key))
            for key in history.keys() | wanted.keys()
            if history.get(key, nothing) != wanted.get(key, nothing)
        }
        assert different == {}, (budget.id, different, office.document)
        current = calendar.period_at(now)
        assert current is not None
        for start, _ in history:
            period = calendar.period_at(start)
            assert period is not None, (budget.id, start)
            assert period.start == start, (budget.id, start)
        for values, (start, end, spent) in office.status(budget.id).items():
            assert (start, end) == current, (budget.id, values)
            assert spent == wanted.get((start, values), nothing)[0]
        expected = {values for (start, values), one in wanted.items() if start == current.start and any(one)}
        expected |= set() if budget.per else {()}
        assert set(office.status(budget.id)) >= expected, budget.id
        for state in states.values():
            if state.budget_id == budget.id:
                assert (state.period_start, state.period_end) == current, (budget.id, state)
                spent, _, held = wanted.get((current.start, state.values), nothing)
                assert (state.spent_usd if state.quota is None else state.quota.used) == spent
                assert state.held_usd == held
                amount = state.amount_usd if state.quota is None else state.quota.amount
                if budget.carry_over is None:
                    credited = office.credit_in(budget.id, current, state.values)
                    assert amount == budget.amount + credited, (budget.id, state)
        assert {state.values for state in states.values() if state.budget_id == budget.id} >= expected
        firing = {
            one.alert_id for one in alerts.values() if one.status == "firing" and one.labels["budget"] == budget.id
        }
        crossed = set()
        for (start, values), (spent, _, held) in wanted.items():
            period = calendar.period_at(start)
            assert period is not None
            amount = budget.amount + office.credit_in(budget.id, period, values)
            if spent + held >= amount and spent + held > 0 and period.end > now - KEEP_NOTIFIED:
                crossed.add(alert_id("budget", Place(budget.id, calendar.period_key(period), values)))
        assert firing == crossed, budget.id
    assert office.difference() == 0

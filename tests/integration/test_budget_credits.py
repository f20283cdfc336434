"""Credits inside a period, from the command to what people and services are told, on the real store and broker: who did
it is kept, sent twice they count once, a restart knows them, and the opposite undoes them."""

import json
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from spendstream.cli import main
from spendstream_schemas.budget_feed import BudgetState, state_key
from stream_jobs.budget_terms.control import BudgetChange, change_to_json
from stream_jobs.budget_terms.credits import Credit
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import BUDGET_CONTROL, BUDGET_STATE
from tests.integration.budget_office import Office
from tests.integration.pipeline import until
from tests.integration.test_budget_periods import spend
from tests.integration.test_budget_units import ONLY_ACTUAL, alert, booked, guard, office
from tests.store_server import StoreProcess
from tests.unit.producers.support import read_topic

pytestmark = pytest.mark.slow

__all__ = ["office"]  # a fixture
MONTH: dict[str, Any] = {"id": "month", "name": "Month", "amount": 100, "period": "month", "thresholds": ONLY_ACTUAL}
USERS: dict[str, Any] = {**MONTH, "id": "users", "name": "Users", "per": ["user_id"], "currency": "EUR"}
RATES: dict[str, Any] = {"currencies": {"EUR": [{"usd": "1.25", "valid_from": "2025-01-01"}]}}


@contextmanager
def running(office: Office) -> Iterator[None]:
    """The job goes on by itself, while a command waits for it."""
    stop, failed = threading.Event(), list[BaseException]()

    def go_on() -> None:
        try:
            while not stop.wait(0.02):
                office.cycle()
        except BaseException as error:  # noqa: BLE001 - said by the test
            failed.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert failed == []


def run(office: Office, process: StoreProcess, *arguments: str) -> int:
    where = ["--url", process.url, "--bootstrap", office.broker, "--timeout", "60"]
    with running(office):
        return main(["budgets", "credit", *arguments, *where])


def amounts(office: Office, budget_id: str) -> dict[tuple[str, ...], tuple[Decimal, Decimal]]:
    """Amount and credit of each value, as they stand."""
    office.cycle()
    rows = office.store.rows(
        "SELECT vals, amount, credited FROM budget_status WHERE budget_id = {id:String}", {"id": budget_id}
    )
    return {tuple(vals): (amount, credited) for vals, amount, credited in rows}  # type: ignore[arg-type,misc]


def test_a_credit_counts_in_its_period_and_everybody_sees_it(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alert is taken back, services go on, lists and the audit say it, a restart knows it; a cut of as much undoes
    it, and then it is told again."""
    office.write({**MONTH, "policy": {"steps": [{"at_percent": 100, "action": "refuse"}]}})
    office.restart()
    booked(office, 120)
    assert alert(office, "month").status == "firing"
    with guard(office) as services:
        assert services.decide().action == "refuse"
        assert run(office, process, "month", "--amount", "50.5", "--note", "launch week") == 0
        until(lambda: services.decide().action == "full", 30, "a service that goes on")
        assert services.decide().amount_usd == Decimal("150.5")
    assert capsys.readouterr().out == "credited month\n"
    assert alert(office, "month").status == "resolved"
    assert amounts(office, "month") == {(): (Decimal("150.5"), Decimal("50.5"))}
    office.restart()
    office.settle()
    assert amounts(office, "month") == {(): (Decimal("150.5"), Decimal("50.5"))}
    booked(office, 31)
    facts = {fact.name: fact.text for fact in alert(office, "month").facts}
    assert facts["Amount"] == "$150.50, with credits of $50.50"
    assert main(["budgets", "show", "month", "--url", process.url]) == 0
    text = capsys.readouterr().out
    assert "+$50.50" in text
    assert "launch week" in text
    assert run(office, process, "month", "--amount", "-50.5", "--note", "it was cancelled") == 0
    assert amounts(office, "month") == {(): (Decimal(100), Decimal(0))}
    capsys.readouterr()
    assert main(["budgets", "show", "month", "--url", process.url, "--json"]) == 0
    credited = json.loads(capsys.readouterr().out)["credits"]
    assert [(one["amount"], one["note"]) for one in credited] == [
        ("50.5", "launch week"),
        ("-50.5", "it was cancelled"),
    ]
    assert all("@" in one["changed_by"] for one in credited)
    assert office.difference() == 0


def test_of_a_budget_per_value_one_value_is_credited_in_its_currency(office: Office, process: StoreProcess) -> None:
    """Also one that has spent nothing yet; the others stay as they are."""
    office.write(USERS, **RATES)
    office.restart()
    booked(office, 10, user_id="u1")
    assert run(office, process, "users", "--amount", "8", "--values", "user_id=u1") == 0
    assert run(office, process, "users", "--amount", "-4", "--values", "user_id=new") == 0
    booked(office, 10, user_id="u2")
    wanted = {("u1",): (Decimal(135), Decimal(10)), ("u2",): (Decimal(125), Decimal(0)), ("new",): (120, -5)}
    assert amounts(office, "users") == wanted
    office.restart()
    assert amounts(office, "users") == wanted


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["month", "--amount", "1e3x"], "--amount: "),
        (["month", "--amount", "0"], "an amount of 0 credits nothing"),
        (["month", "--amount", "5", "--period", "2026-13"], "it has no period '2026-13'; periods are named like 20"),
        (["month", "--amount", "5", "--values", "team=a"], "needs no --values"),
        (["users", "--amount", "5"], "needs --values user_id=..."),
        (["users", "--amount", "5", "--values", "user_id="], "what has no user_id counts in none of budget users"),
        (["window", "--amount", "5"], "a rolling window has no periods"),
        (["quota", "--amount", "0.5"], "a quota of tokens has whole numbers, not 0.5"),
        (["other", "--amount", "5"], "there is no budget 'other'"),
    ],
)
def test_what_cannot_be_credited_is_refused_with_what_to_do(
    office: Office, process: StoreProcess, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    """By the command, or by the job; nothing changes, and nothing is kept as a credit."""
    window = {**MONTH, "id": "window", "period": {"rolling": "24h"}}
    office.write(MONTH, USERS, window, {**MONTH, "id": "quota", "measure": "tokens"}, **RATES)
    office.restart()
    assert run(office, process, *arguments) != 0
    assert why in capsys.readouterr().err
    assert office.store.rows("SELECT count() FROM budget_credits") == [(0,)]


def test_a_credit_that_is_sent_twice_counts_once_and_reaches_a_period_long_over(office: Office) -> None:
    """In any order of records, and by a job that was away; the past says it, and what it carries into the present."""
    at = (office.store.now().replace(day=1) - timedelta(days=40)).replace(day=5)
    carry = {**MONTH, "id": "carry", "carry_over": {"unused": True, "since": at.date()}}
    office.write(MONTH, carry)
    office.restart()
    office.cycle(office.block([spend(at, 130)]))
    office.settle()
    key = f"{at:%Y-%m}"
    before = amounts(office, "carry")
    producer = RecordProducer(office.kafka)
    try:
        for budget_id in ("month", "carry"):
            change = BudgetChange(
                schema_version=1,
                change_id=uuid4().hex,
                budget_id=budget_id,
                at=office.store.now(),
                by="somebody@somewhere",
                credit=Credit(amount=Decimal(45), period=key),
            )
            producer.send(BUDGET_CONTROL, [(budget_id.encode(), change_to_json(change))] * 2)
    finally:
        producer.close()

    def counted() -> bool:
        office.cycle()
        return office.store.rows("SELECT count() FROM budget_credits") == [(2,)]

    until(counted, 30, "credits that are taken up")
    office.restart()
    office.settle()
    assert office.store.rows(
        "SELECT budget_id, toString(amount), toString(credited) FROM budget_history WHERE period_key = {key:String} "
        "AND budget_id = 'month'",
        {"key": key},
    ) == [("month", "145", "45")]
    after = amounts(office, "carry")
    assert after[()][0] - before[()][0] == 15, "of 145 instead of 100 130 were used: 15 are left instead of nothing"
    assert office.difference() == 0


@pytest.mark.parametrize(
    "budget",
    [
        {**MONTH, "measure": "requests", "amount": 3},
        {**MONTH, "measure": "gpu_hours", "amount": "0.5"},
        {**MONTH, "per": ["user_id"], "amounts": {"u1": 2}},
    ],
)
def test_the_command_that_a_message_prints_is_taken_as_it_stands(
    office: Office, process: StoreProcess, budget: dict[str, Any]
) -> None:
    """Whole numbers of requests, parts of hours, and the amount of the value that it is about: with what it suggests,
    the alert is taken back."""
    office.write(budget)
    office.restart()
    booked(office, 1, 1, 1, gpu_seconds=Decimal(700))
    told = alert(office, "month")
    assert told.status == "firing"
    (command,) = re.findall(r"`spendstream (budgets set [^`]*)`", str(told.action))
    with running(office):
        assert main([*shlex.split(command), "--url", process.url, "--bootstrap", office.broker, "--timeout", "60"]) == 0
    office.cycle()
    assert alert(office, "month").status == "resolved"


def test_an_amount_of_one_s_own_is_not_taken_back_at_the_turn_of_a_period(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cycle that began before the turn and ends after it takes no state back that the next one says anew."""
    office.write({**USERS, "amount": 0, "amounts": {"u1": 7}, "period": "hour", "currency": "USD"})
    office.restart()
    office.cycle()
    clock = office.running._clock
    turn = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    instants = iter([turn - timedelta(milliseconds=1), *(turn + timedelta(milliseconds=after) for after in range(999))])
    monkeypatch.setattr(clock, "now", lambda: next(instants))
    office.cycle()
    office.cycle()
    key = state_key("users", ("u1",))
    records = [message.value() for message in read_topic(office.broker, BUDGET_STATE) if message.key() == key.encode()]
    assert None not in records
    found = BudgetState.model_validate_json(records[-1] or b"")
    assert (found.period_start, found.amount_usd, found.next_amount) == (turn, Decimal(7), Decimal(7))

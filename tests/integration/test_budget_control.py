"""Budgets that people set, remove and reset while it runs: what counts, what is refused, and what a restart knows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.budget_terms.checks import labels_of
from stream_jobs.budget_terms.control import BudgetChange, Definitions, change_from_json, change_to_json
from stream_jobs.budget_terms.control_reader import ControlReader
from stream_jobs.budget_terms.labels import labels_in_use
from stream_jobs.budget_terms.resolve import load_budgets
from stream_jobs.budgets.status import change_outcome, defined_budgets
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import BUDGET_CONTROL
from stream_jobs.store.client import StoreClient
from tests.integration.pipeline import until
from tests.store_server import StoreProcess

SECOND = timedelta(seconds=1)
FILE = """
budgets:
  - {id: top, name: Top, amount: 1000, period: month}
  - {id: low, name: Low, amount: 12.345678901234, period: day, parent: top}
"""
EXACT = "99999999999.123456789012"


class Office:
    """A folder with a budgets.yaml, and a job that takes changes up."""

    def __init__(self, store: StoreClient, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.now = store.now()
        self.write(FILE)
        self.restart()

    def write(self, text: str) -> None:
        (self.folder / "budgets.yaml").write_text(text)

    def restart(self) -> None:
        self.definitions = Definitions(self.store, self.folder)
        self.now += SECOND
        self.definitions.load(self.now)

    def reload(self) -> bool:
        """Whether the file as it is now changes anything."""
        before = self.definitions.budgets
        self.definitions.use_file(load_budgets(self.folder), self.now)
        return self.definitions.budgets is not before

    def take(self, *changes: BudgetChange) -> list[str | None]:
        """The outcome of each."""
        self.now += SECOND
        self.definitions.take_up(changes, self.now)
        return [change_outcome(self.store, change.change_id) for change in changes]

    def amounts(self) -> dict[str, Decimal]:
        """What counts for the job, which must be what the store says."""
        found = {budget.id: budget.amount for budget in self.definitions.budgets}
        assert {one.budget_id: Decimal(one.document["amount"]) for one in defined_budgets(self.store)} == found
        return found


@pytest.fixture
def office(process: StoreProcess, tmp_path: Path) -> Iterator[Office]:
    with StoreClient(process.settings) as store:
        store.command("TRUNCATE TABLE budget_definitions")
        yield Office(store, tmp_path)


def change(budget_id: str = "low", note: str = "", *, reset: bool = False, **budget: Any) -> BudgetChange:
    document = {"id": budget_id, "name": "Set", "period": "day", **budget} if budget else None
    at = datetime(2026, 11, 26, tzinfo=UTC)
    who = {"change_id": uuid4().hex, "budget_id": budget_id, "at": at, "by": "ada"}
    return BudgetChange.model_validate({**who, "note": note, "budget": document, "reset": reset})


LOW = Decimal("12.345678901234")


def test_the_file_counts_and_is_recorded_once(office: Office) -> None:
    """With all its digits; a restart finds nothing new."""
    assert office.amounts() == {"top": 1000, "low": LOW}
    office.restart()
    assert office.amounts() == {"top": 1000, "low": LOW}
    assert office.store.rows("SELECT count() FROM budget_definitions") == [(2,)]


def test_what_is_set_counts_above_the_file_until_it_is_reset(office: Office) -> None:
    """Also after a restart, and whatever the file says meanwhile."""
    assert office.take(change(amount=EXACT), change("new", amount=1)) == ["", ""]
    assert office.amounts() == {"top": 1000, "low": Decimal(EXACT), "new": 1}
    office.write(FILE.replace("12.345678901234", "7"))
    assert office.reload()
    assert not office.reload()
    office.restart()
    assert office.amounts() == {"top": 1000, "low": Decimal(EXACT), "new": 1}
    assert office.take(change(reset=True), change("new", reset=True)) == ["", ""]
    assert office.amounts() == {"top": 1000, "low": 7}
    office.restart()
    assert office.amounts() == {"top": 1000, "low": 7}


def test_a_budget_of_the_file_can_be_removed_and_comes_back_with_reset(office: Office) -> None:
    """Removed stays removed, also by a restart."""
    assert office.take(change(note="too small")) == [""]
    assert office.amounts() == {"top": 1000}
    office.restart()
    assert office.amounts() == {"top": 1000}
    assert office.take(change(reset=True)) == [""]
    assert office.amounts() == {"top": 1000, "low": LOW}


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (change("nobody"), "there is no such budget"),
        (change(reset=True), "nothing was set or removed while running"),
        (change("top"), "parent"),
        (change(amount=-1), "amount"),
        (change(amount=1, parent="low"), "parent"),
        (change(amount=1, currency="EUR"), "EUR"),
        (change("low", amount=1).model_copy(update={"budget_id": "top"}), "the budget is low"),
        (change(amount=1, typo=1), "typo"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(office: Office, refused: BudgetChange, why: str) -> None:
    """The command is told why; nobody takes a refused removal for a removal."""
    refused = refused.model_copy(update={"change_id": uuid4().hex})
    before = office.definitions.budgets.version
    (outcome,) = office.take(refused)
    assert outcome is not None
    assert why in outcome
    assert office.definitions.budgets.version == before
    assert office.amounts() == {"top": 1000, "low": LOW}
    office.restart()
    assert office.amounts() == {"top": 1000, "low": LOW}


def test_the_topic_is_read_anew_by_every_restart_and_changes_nothing(office: Office) -> None:
    """All changes of all times come again: those that were superseded or refused stay what they are."""
    changes = [change(amount=1), change(amount=-5), change("new", parent="low", amount=3), change(amount=2)]
    changes += [change("orphan", amount=1, parent="later"), change("later", amount=1), change("later")]
    outcomes = office.take(*changes)
    assert [bool(outcome) for outcome in outcomes] == [False, True, False, False, True, False, False]
    for _ in range(2):
        office.restart()
        assert office.take(*changes) == outcomes
        assert office.amounts() == {"top": 1000, "low": 2, "new": 3}


def test_of_several_changes_at_one_instant_the_last_counts(office: Office) -> None:
    """A command after the other, taken up together: also for a restart."""
    for first in range(0, 60, 20):
        office.take(*[change(amount=first + n) for n in range(1, 21)])
        office.restart()
        assert office.amounts()["low"] == first + 20


def test_what_could_not_be_written_is_written_later(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts already, and its command still waits for the answer."""
    from stream_jobs.budget_terms import control

    def away(*_: Any) -> None:
        raise StoreUnavailableError("away")

    one = change(amount=5)
    with monkeypatch.context() as patched:
        patched.setattr(control, "insert", away)
        with pytest.raises(StoreUnavailableError):
            office.take(one)
        with pytest.raises(StoreUnavailableError):
            office.take()
    assert change_outcome(office.store, one.change_id) is None
    assert office.take(one) == [""]
    assert office.amounts()["low"] == 5
    assert office.store.rows("SELECT count() FROM budget_definitions WHERE origin = 'control'") == [(1,)]


def test_a_note_cannot_pass_for_a_refusal(office: Office) -> None:
    """Whatever people write."""
    one = change(amount=5, note="refused: by the board, but we need it")
    assert office.take(one) == [""]
    assert office.amounts()["low"] == 5


def test_a_file_that_is_broken_later_is_not_used(office: Office) -> None:
    """What counted goes on counting, and the problem is said as long as there is one; mended, it is taken up."""
    office.write("budgets: [{id: low}]")
    for _ in range(2):
        with pytest.raises(ConfigError, match="low"):
            office.reload()
    assert office.amounts() == {"top": 1000, "low": LOW}
    office.write("budgets: [{id: low, name: Low, amount: 3, period: day}]")
    assert office.reload()
    assert office.amounts() == {"low": 3}


def test_who_takes_over_takes_the_file_as_it_is(office: Office) -> None:
    """A worker that stood by for a week must not bring last week's file back."""
    office.write("budgets: [{id: low, name: Low, amount: 3, period: day}]")
    standing_by = office.definitions
    office.restart()
    assert office.amounts() == {"low": 3}
    standing_by.load(office.now + SECOND)
    assert {budget.id: budget.amount for budget in standing_by.budgets} == {"low": 3}
    assert office.amounts() == {"low": 3}


def test_a_set_budget_that_no_longer_fits_the_file_is_left_out(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """The job goes on, and says so; once the file fits again, it counts again."""
    office.take(change("child", amount=1, parent="top"))
    office.write("budgets: []")
    assert office.reload()
    assert [budget.id for budget in office.definitions.budgets] == []
    assert "does not fit the file any more" in caplog.text
    office.write(FILE)
    assert office.reload()
    assert office.amounts() == {"top": 1000, "low": LOW, "child": 1}


def test_all_ids_that_ever_were_are_known(office: Office) -> None:
    """What services were told of them is taken back."""
    office.take(change("new", amount=1), change("low"))
    office.restart()
    assert office.definitions.known_ids() == {"top", "low", "new"}


# -- on the way


def test_changes_are_exact_on_the_way() -> None:
    """Numbers in JSON keep their digits; a float would not."""
    raw = json.loads(change_to_json(change(amount=1)))
    raw["budget"]["amount"] = "@"
    read = change_from_json(json.dumps(raw).replace('"@"', EXACT).encode())
    assert read.budget is not None
    assert read.budget["amount"] == EXACT


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b'{"schema_version": 2}', b"[" * 100_000])
def test_what_is_no_change_is_refused(raw: bytes) -> None:
    """Without an error that would stop the job."""
    with pytest.raises(ConfigError):
        change_from_json(raw)


def test_changes_come_through_the_topic_and_garbage_does_not(broker: TansuBroker) -> None:
    """From the beginning, in order; also when the broker forgets the topic under the reader."""
    kafka = embedded_kafka(broker.address)
    ensure_topics(kafka, [TopicSpec(BUDGET_CONTROL, 1, 1, {})])
    sender, reader = RecordProducer(kafka), ControlReader(kafka)
    try:
        first, second = change(amount=1), change(amount=2)
        values = [change_to_json(first), b"garbage", None, change_to_json(second)]
        sender.send(BUDGET_CONTROL, [(b"low", value) for value in values])
        read: list[BudgetChange] = []

        def has_read(wanted: list[BudgetChange]) -> bool:
            read.extend(reader.read())
            return read == wanted

        until(lambda: has_read([first, second]), 20, "two changes")
        assert reader.read() == []
        broker.stop()
        assert reader.read() == []
        broker.start()
        ensure_topics(kafka, [TopicSpec(BUDGET_CONTROL, 1, 1, {})])
        read.clear()
        third = change(amount=3)
        sender.close()  # what the old producer knows of the old broker is of no use
        sender.send(BUDGET_CONTROL, [(b"low", change_to_json(third))])
        until(lambda: has_read([third]), 20, "the change on the new topic")
    finally:
        sender.close()
        reader.close()


def test_the_labels_of_the_budgets_that_count_are_known_from_the_store(office: Office) -> None:
    """For those who write deltas, in whatever process: of the file and of what is set, not of what was refused,
    replaced or removed; names are data."""
    odd = "a.b 'x' \\\\ \u00fc"
    scope = json.dumps({f"labels.{odd}": "*"})
    office.write(f"{FILE}  - {{id: t, name: T, amount: 1, period: day, per: [labels.tenant], scope: {scope}}}")
    assert office.reload()
    assert labels_in_use(office.store) == sorted([odd, "tenant"]) == labels_of(office.definitions.budgets)
    assert office.take(change("new", amount=1, per=["labels.x"]), change("low", amount=1, per=["labels.y"])) == ["", ""]
    assert labels_in_use(office.store) == sorted([odd, "tenant", "x", "y"])
    many = [f"labels.l{number}" for number in range(4)]
    (refused,) = office.take(change("many", amount=1, per=many, scope={f"labels.m{one}": "x" for one in range(3)}))
    assert refused is not None
    assert "at most 8 can be watched" in refused
    assert office.take(change("new"), change("low", amount=2)) == ["", ""]
    assert labels_in_use(office.store) == sorted([odd, "tenant"])

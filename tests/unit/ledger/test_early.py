"""What is asked of the ledger while a block is decoded: the same answers, without waiting."""

import threading
from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.ledger.early import EarlyAnswers
from stream_jobs.ledger.known import Booked
from stream_jobs.metering.process import ROWS_TOGETHER, Metering
from stream_jobs.streams.model import Block
from tests.unit.metering.build import NOW, TOLERANCE, FakeLedger, block, record
from tests.unit.pricing.shipped import shipped_book

IDS = st.sampled_from([f"e{number}" for number in range(12)])


class Asked(FakeLedger):
    """Keeps the ids of every question."""

    def __init__(self, known: Collection[str]) -> None:
        super().__init__({event_id: Booked(0, NOW) for event_id in known})
        self.questions: list[frozenset[str]] = []

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        self.questions.append(frozenset(event_ids))
        return super().booked(event_ids, block)


class Stalled(FakeLedger):
    """Answers nothing before `go`; then fails, where it should."""

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.go = threading.Event()
        self.questions = 0
        self._fails = fails

    def booked(self, event_ids: Collection[str], block: Block) -> Mapping[str, Booked]:
        self.questions += 1
        if event_ids and not self.go.wait(30):
            raise AssertionError("somebody waits for an answer that nobody needs yet")
        if event_ids and self._fails:
            raise StoreUnavailableError("away")
        return {}


@given(st.lists(st.lists(IDS, max_size=6), max_size=6), st.sets(IDS), st.sets(IDS), st.integers(1, 5))
def test_what_is_asked_early_is_what_would_be_asked_late(
    early: list[list[str]], wanted: set[str], known: set[str], portion: int
) -> None:
    """However the ids come: the answer is the ledger's to the ids that are wanted, and no id is asked for twice."""
    ledger = Asked(known)
    answers = EarlyAnswers(ledger, block(), portion)
    for ids in early:
        answers.ask(ids)
    assert set(answers.booked(wanted)) == known & wanted
    assert sum(map(len, ledger.questions)) == len(frozenset().union(*ledger.questions))


def test_asking_does_not_wait_for_the_store() -> None:
    """The store has not answered when the rest is already being decoded."""
    ledger = Stalled(fails=False)
    answers = EarlyAnswers(ledger, block(), portion=1)
    answers.ask({"a"})
    answers.ask({"b"})
    ledger.go.set()
    assert answers.booked({"a", "b"}) == {}
    assert ledger.questions == 3  # of nothing that is left, too: a ledger says at once that there is nothing


def test_a_store_that_is_away_is_told_to_who_wants_the_answer() -> None:
    """And what was still to be asked is not asked any more."""
    ledger = Stalled(fails=True)
    answers = EarlyAnswers(ledger, block(), portion=1)
    for number in range(50):
        answers.ask({f"e{number}"})
    ledger.go.set()
    with pytest.raises(StoreUnavailableError):
        answers.booked({f"e{number}" for number in range(50)})


@pytest.mark.slow
def test_a_block_of_several_portions_books_what_is_not_booked() -> None:
    """Copies are found wherever they lie: in what was asked early, and in what was asked last."""
    number = 2 * ROWS_TOGETHER + 7
    known = {f"e{offset}" for offset in range(0, number, 1_000)} | {f"e{number - 1}"}
    ledger = Asked(known)
    records = [record(offset, f"e{offset}") for offset in range(number)]
    metering = Metering(shipped_book(), AttributionRules.load(None), ledger, TOLERANCE)
    output = metering.process(block(0, number - 1), records)
    assert output.counts.duplicates == len(known)
    assert output.counts.booked == number - len(known)
    assert not known & set(output.tables["ledger"]["event_id"].to_pylist())
    assert sorted(map(len, ledger.questions)) == [7, ROWS_TOGETHER, ROWS_TOGETHER]

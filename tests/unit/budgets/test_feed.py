"""What services are sent: the latest of each key, all policies that hold, and nothing of what is gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spendstream_schemas.budget_feed import BUDGET_RECORD, BudgetPolicy, BudgetState, Heartbeat
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.budgets.book import BudgetBook
from stream_jobs.budgets.feed import BudgetFeed
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.budgets.memory_producer import MemoryProducer
from tests.unit.series.memory_ledger import Entry, MemoryLedger, usd

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def producer() -> MemoryProducer:
    return MemoryProducer()


@pytest.fixture
def feed(producer: MemoryProducer) -> BudgetFeed:
    return BudgetFeed(producer)


def sent(feed: BudgetFeed, producer: MemoryProducer) -> dict[str, Any]:
    """What the next flush sends, by key."""
    number = feed.flush()
    records = producer.taken()
    found = {key.decode(): None if value is None else BUDGET_RECORD.validate_json(value) for _, key, value in records}
    assert len(found) == len(records) == number
    return found


def states(feed: BudgetFeed, now: datetime, *entries: Entry, **more: Any) -> BudgetBook:
    """Count these and pass on where the budget stands."""
    ledger = MemoryLedger(NOON)
    one = BudgetBook(budgets(budget(**more)), ledger, {}, {}, now)
    one.apply([ledger.book(now, *entries)], now)
    feed.states(one.evaluate(now), now)
    return one


def test_policies_are_sent_once_and_again_when_they_change(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """What was taken away is taken back."""
    feed.policies(budgets(budget("a"), budget("b")), NOON)
    found = sent(feed, producer)
    assert {key: type(record) for key, record in found.items()} == {"policy/a": BudgetPolicy, "policy/b": BudgetPolicy}
    feed.policies(budgets(budget("a"), budget("b")), NOON)
    assert sent(feed, producer) == {}
    feed.policies(budgets(budget("a", amount=11)), NOON)
    found = sent(feed, producer)
    assert found.pop("policy/a").amount_usd == 11
    assert found == {"policy/b": None, "policy/b@2": None}


def test_only_policies_in_force_are_sent(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """Services do not know dates."""
    which = budgets(budget("later", valid_from="2026-11-27", valid_to="2026-11-28"))
    for days, wanted in ((0, []), (1, ["policy/later"]), (2, ["policy/later", "policy/later@2"]), (3, [])):
        feed.policies(which, NOON + days * DAY)
        assert list(sent(feed, producer)) == wanted


def test_a_scope_that_older_guards_do_not_know_takes_their_policy_away(
    feed: BudgetFeed, producer: MemoryProducer
) -> None:
    """They must neither go on with the old scope nor take the new one for another. Newer guards are never without one:
    what holds comes first."""
    feed.policies(budgets(budget("a", scope={"team": "x"})), NOON)
    assert list(sent(feed, producer)) == ["policy/a"]
    wanted: dict[str, int | None] = {"policy/a@2": 2, "policy/a": None}
    for scope in ({"labels.tenant": "x"}, {"source": "x"}, {"team": ["a*", "b*"]}, {"team": "x" * 129}):
        feed.policies(budgets(budget("a", scope=scope)), NOON)
        found = sent(feed, producer)
        assert {key: record and record.schema_version for key, record in found.items()} == wanted
        assert list(found) == list(wanted)
    feed.policies(budgets(budget("a", scope={"team": "a*"})), NOON)
    found = sent(feed, producer)
    assert {key: record and record.schema_version for key, record in found.items()} == {
        "policy/a": 1,
        "policy/a@2": None,
    }
    feed.policies(budgets(budget("a", per=["region"])), NOON)
    assert list(sent(feed, producer)) == ["policy/a@2", "policy/a"]


def test_budgets_that_were_removed_while_nobody_counted_are_taken_back(
    feed: BudgetFeed, producer: MemoryProducer
) -> None:
    """Another process sent their policies; the services would hold to them for ever."""
    feed.policies(budgets(budget("a")), NOON)
    feed.withdraw({"a", "gone"})
    found = sent(feed, producer)
    assert found["policy/a"] is not None
    assert found["policy/gone"] is None


def test_a_state_says_everything_a_guard_needs(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """In USD, to the last digit; thresholds as plain numbers."""
    entries = [Entry(NOON, 123456789012, facts={"team": "a"}), Entry(NOON, 0, 2, facts={"team": "a"})]
    states(feed, NOON, *entries, per=["team"], period="day", amount="2.5", thresholds=[80, 100])
    state = sent(feed, producer)["state/one/1:a"]
    assert isinstance(state, BudgetState)
    assert (str(state.spent_usd), str(state.amount_usd)) == ("0.123456789012", "2.500000000000")
    assert state.held_usd == 2
    assert [f"{one:f}" for one in state.thresholds] == ["80"]
    assert (state.period_start, state.period_end) == (NOON - DAY / 2, NOON + DAY / 2)
    assert (state.as_of, state.values) == (NOON, ("a",))


def test_only_the_latest_state_of_a_key_is_sent(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """Between two sendings it may change a hundred times."""
    for amount in range(1, 50):
        states(feed, NOON, Entry(NOON, usd(amount)))
    found = sent(feed, producer)
    assert list(found) == ["state/one/"]
    assert found["state/one/"].spent_usd == 49


def test_periods_that_are_over_or_not_begun_say_nothing(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """A late event must not put yesterday in the place of today."""
    states(feed, NOON, Entry(NOON - DAY, usd(9)), Entry(NOON, usd(1)), Entry(NOON + DAY, usd(5)), period="day")
    found = sent(feed, producer)
    assert [state.spent_usd for state in found.values()] == [1]


def test_a_window_ends_now(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """It has no end of its own."""
    states(feed, NOON, Entry(NOON, usd(9)), period={"rolling": "2h"})
    assert sent(feed, producer)["state/one/"].period_end is None
    feed.forget_over(NOON + 9 * DAY)
    assert sent(feed, producer) == {}


def test_states_of_periods_that_are_over_are_taken_back(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """A hundred thousand users who spent once must not stay in the topic; those who spend again do."""
    for at in (NOON, NOON + DAY):
        team = "a" if at == NOON else "b"
        states(feed, at, Entry(at, usd(1), facts={"team": team}), period="day", per=["team"])
    sent(feed, producer)
    feed.forget_over(NOON + DAY)
    assert sent(feed, producer) == {"state/one/1:a": None}
    feed.forget_over(NOON + DAY)
    assert sent(feed, producer) == {}


def test_a_removed_budget_takes_its_states_with_it(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """Also those that were not sent yet."""
    feed.policies(budgets(budget("one")), NOON)
    states(feed, NOON, Entry(NOON, usd(1)))
    feed.policies(budgets(), NOON)
    assert sent(feed, producer) == {"policy/one": None, "policy/one@2": None, "state/one/": None}


def test_what_could_not_be_sent_is_kept(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """And what has changed meanwhile goes in its place."""
    producer.down = True
    states(feed, NOON, Entry(NOON, usd(1)))
    feed.beat(NOON)
    with pytest.raises(BrokerUnavailableError):
        feed.flush()
    states(feed, NOON, Entry(NOON, usd(2)))
    producer.down = False
    found = sent(feed, producer)
    assert found["state/one/"].spent_usd == 2
    assert isinstance(found["heartbeat"], Heartbeat)


def test_another_process_beats_under_another_name(feed: BudgetFeed, producer: MemoryProducer) -> None:
    """Services can tell that somebody else took over."""
    jobs = set()
    for one in (feed, feed, BudgetFeed(producer)):
        one.beat(NOON)
        jobs.add(sent(one, producer)["heartbeat"].job)
    assert len(jobs) == 2

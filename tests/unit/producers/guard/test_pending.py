"""What was allowed here counts until the state of the budget includes it."""

import sys
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream import Guard, ModelOption, TaskNeeds
from spendstream.guard.pending import PendingBook
from spendstream_schemas.budget_feed import BudgetPolicy, Quota, QuotaUnit
from tests.unit.producers.guard.support import END, Clocks, heartbeat, new_guard, policy, state, who


def used(guard: Guard) -> Decimal:
    """What the guard takes for used up of budget b; looking costs nothing."""
    found = guard.decide(who()).used_usd
    assert found is not None
    return found


def test_a_burst_does_not_run_through_the_limit() -> None:
    """100 USD, 1 USD each, no state in between: 99 requests pass, since the 100th would reach the step."""
    guard = new_guard(Clocks(), policy())
    assert [guard.decide(who(), 1).allowed for _ in range(120)].count(True) == 99


def test_it_counts_until_a_state_is_as_of_later_than_the_margin() -> None:
    """Not the first state that comes: the ledger may have that request a moment later."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), pending_margin_s=2)
    at = clocks.now
    guard.decide(who(), 10)
    clocks.pass_s(1)
    guard.decide(who(), 20)
    guard.apply(state(0, as_of=at + timedelta(seconds=2)))
    assert used(guard) == 30
    guard.apply(state(10, as_of=at + timedelta(seconds=2, microseconds=1)))
    assert used(guard) == 30
    guard.apply(state(30, as_of=at + timedelta(seconds=3, microseconds=1)))
    assert used(guard) == 30
    assert not guard._book._budgets["b"].pending


def test_it_counts_for_so_long_at_most() -> None:
    """Where no state comes any more."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), pending_limit_s=20, stale_after_s=100)
    guard.decide(who(), 10)
    clocks.pass_s(19)
    guard.decide(who(), 1)
    assert used(guard) == 11
    clocks.pass_s(1)
    assert used(guard) == 1
    clocks.pass_s(19)
    assert used(guard) == 0
    assert not guard._book._budgets["b"].pending


def test_what_was_refused_does_not_count() -> None:
    """Nor does what has no estimate."""
    guard = new_guard(Clocks(), policy())
    assert not guard.decide(who(), 200).allowed
    assert guard.decide(who()).allowed
    assert used(guard) == 0


def test_every_budget_of_the_request_counts_it() -> None:
    """And each combination of values for itself."""
    guard = new_guard(Clocks(), policy(), policy("user", per=("user_id",)))
    guard.decide(who(user_id="u1"), 7)
    guard.decide(who(user_id="u2"), 5)
    assert used(guard) == 12
    assert guard.decide(who(user_id="u2")).remaining_usd == 88  # of b
    pending = guard._book._budgets["user"].pending
    assert {key: one.total // 10**12 for key, one in pending.items()} == {"u1": 7, "u2": 5}


def test_settling_counts_what_it_cost_from_then_on() -> None:
    """In place of the estimate, and until a state as of later than its end; once only."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), pending_margin_s=2)
    decision = guard.decide(who(), 10)
    clocks.pass_s(10)
    guard.apply(state(0, as_of=clocks.now - timedelta(seconds=1)), heartbeat(clocks))
    decision.settle("2.5")
    decision.settle(99)
    decision.cancel()
    assert used(guard) == Decimal("2.5")
    guard.apply(state("2.5", as_of=clocks.now + timedelta(seconds=3)))
    assert used(guard) == Decimal("2.5")


def test_a_request_without_an_estimate_can_be_settled() -> None:
    """Then it counts from its end on."""
    guard = new_guard(Clocks(), policy())
    guard.decide(who()).settle(3)
    assert used(guard) == 3


def test_cancelling_takes_the_estimate_back() -> None:
    """A refused decision has nothing to take back."""
    guard = new_guard(Clocks(), policy())
    decision, refused = guard.decide(who(), 10), guard.decide(who(), 95)
    assert (decision.allowed, refused.allowed) == (True, False)
    refused.settle(95)
    decision.cancel()
    assert used(guard) == 0
    with pytest.raises(TypeError, match="actual_usd"):
        decision.settle(0.1)  # type: ignore[arg-type]


def test_a_job_whose_clock_is_ahead_does_not_drop_it_early() -> None:
    """Heartbeats tell by how much at least."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), pending_margin_s=2)
    ahead = clocks.now + timedelta(seconds=60)
    guard.apply(heartbeat(clocks).model_copy(update={"at": ahead}))
    guard.decide(who(), 10)
    guard.apply(state(0, as_of=ahead + timedelta(seconds=1)))
    assert used(guard) == 10
    guard.apply(state(10, as_of=ahead + timedelta(seconds=3)))
    assert used(guard) == 10


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("allow"), st.integers(1, 100)),
            st.tuples(st.just("settle"), st.integers(0, 100)),
            st.tuples(st.just("pass"), st.integers(1, 3_000_000)),
            st.tuples(st.just("state"), st.integers(0, 4_000_000)),
        ),
        max_size=30,
    )
)
def test_the_sums_are_those_of_a_plain_list(steps: list[tuple[str, int]]) -> None:
    """Against a list of all amounts, each dropped by itself; a lot may hold an amount a tenth of a second longer."""
    book, home, now = PendingBook(1_000_000, 5_000_000_000), {}, 10_000_000  # type: ignore[var-annotated]
    entries: list[list[int]] = []  # at, amount
    reservations = []
    for kind, number in steps:
        if kind == "allow":
            reservations.append(
                (book.reserve([(home, "k", 0)], (number, 0, 0, 0), now, now * 1000, None), [now, number])
            )
            entries.append(reservations[-1][1])
        elif kind == "settle" and reservations:
            reservation, entry = reservations.pop(number % len(reservations))
            assert reservation is not None
            book.take_back(reservation)
            if entry in entries:
                entries.remove(entry)
        elif kind == "pass":
            now += number
            if now * 1000 >= book.next_expiry_ns:
                book.expire(now * 1000)
            entries = [entry for entry in entries if entry[0] + 5_000_000 > now - 100_000]
        elif kind == "state" and "k" in home:
            as_of = now - number
            book.included(home["k"], as_of)
            entries = [entry for entry in entries if entry[0] + 1_000_000 >= as_of]
        total = home["k"].total if "k" in home else 0
        assert total >= 0
        assert total == sum(lot.amount for lot in home["k"].lots) if "k" in home else total == 0
        slack = sum(entry[1] for entry in entries if entry[0] + 5_000_000 <= now + 100_000)
        assert sum(entry[1] for entry in entries) - slack <= total
    book.expire((now + 10_000_000) * 1000)
    assert not home
    assert book.next_expiry_ns > now * 1000


def quota(unit: QuotaUnit, amount: int, budget_id: str = "b") -> BudgetPolicy:
    return policy(budget_id, amount_usd=Decimal(100), quota=Quota(unit=unit, amount=Decimal(amount)))


def used_of(guard: Guard) -> Decimal:
    """As `used`, of a quota: what was asked for is given back."""
    decision = guard.decide(who())
    decision.cancel()
    assert decision.used is not None
    return decision.used


def test_as_many_requests_pass_as_their_quota_has() -> None:
    """Before any state comes, and whatever they may cost; a budget of money beside it counts money."""
    guard = new_guard(Clocks(), quota("requests", 100), policy("money"))
    allowed = [guard.decide(who(), "0.1").allowed for _ in range(1_000)]
    assert allowed == [True] * 100 + [False] * 900
    assert guard.decide(who()).remaining_usd == 90
    assert used_of(guard) == 100


def test_a_request_of_a_quota_counts_until_a_state_has_it() -> None:
    """And none that was not made, which it is known by being cancelled, not by costing nothing."""
    clocks = Clocks()
    guard = new_guard(clocks, quota("requests", 100), pending_margin_s=2)
    at = clocks.now
    guard.decide(who()).settle(0)
    guard.decide(who()).cancel()
    assert used_of(guard) == 1
    said = Quota(unit="requests", amount=Decimal(100), used=Decimal(41))
    guard.apply(state(0, as_of=at + timedelta(seconds=1), quota=said))
    assert used_of(guard) == 42
    guard.apply(state(0, as_of=at + timedelta(seconds=3), quota=said))
    assert used_of(guard) == 41
    clocks.now = END
    guard.apply(heartbeat(clocks))
    assert used_of(guard) == 0


def test_tokens_and_hours_count_as_estimated_until_it_is_known() -> None:
    """As money does: the request that would reach the step is the first that does not pass."""
    guard = new_guard(Clocks(), quota("tokens", 1_000))
    first = guard.decide(who(), 5, estimate_tokens=400)
    assert [guard.decide(who(), estimate_tokens=200).allowed for _ in range(4)] == [True, True, False, False]
    refused = guard.decide(who(), estimate_tokens=200)
    assert "has used 800 of 1,000 tokens (80.0%), this request may use 200; from 100% on" in refused.reason
    first.settle(1, tokens=100)
    assert used_of(guard) == 500
    guard = new_guard(Clocks(), quota("gpu_hours", 2))
    decision = guard.decide(who(), estimate_gpu_hours="1.5")
    assert not guard.decide(who(), estimate_gpu_hours="0.5").allowed
    decision.settle(0, gpu_hours="0.25")
    assert used_of(guard) == Decimal("0.25")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"estimate_tokens": 1.5}, TypeError),
        ({"estimate_tokens": -1}, ValueError),
        ({"estimate_gpu_hours": 0.5}, TypeError),
        ({"estimate_gpu_hours": "x"}, ValueError),
    ],
)
def test_what_a_request_may_use_is_a_count_or_an_amount(wrong: dict[str, Any], error: type[Exception]) -> None:
    """Said with its name, and nothing is counted."""
    guard = new_guard(Clocks(), quota("tokens", 1_000))
    with pytest.raises(error, match=next(iter(wrong))):
        guard.decide(who(), **wrong)
    with pytest.raises(error):
        guard.decide(who()).settle(0, **{name.removeprefix("estimate_"): value for name, value in wrong.items()})
    assert used_of(guard) == 0


def test_the_last_request_of_a_quota_reads_its_stream_to_the_end() -> None:
    """It is one of those that are pending. When others have used the quota up, it is stopped like any other."""
    guard = new_guard(Clocks(), quota("requests", 2))
    streams = [
        guard.limit_stream([1, 2], cost_of=int, decision=guard.decide(who(), 1), attribution=who()) for _ in range(2)
    ]
    assert not guard.decide(who()).allowed
    assert [list(stream) for stream in streams] == [[1, 2], [1, 2]]
    third = guard.limit_stream([1, 2], cost_of=int, attribution=who())
    guard.apply(state(0, quota=Quota(unit="requests", amount=Decimal(2), used=Decimal(2))))
    assert list(third) == []
    assert "came to its end" in third.stopped_reason


def test_a_model_is_chosen_by_the_tokens_that_are_left() -> None:
    """And counted by what it may use."""
    guard = new_guard(Clocks(), quota("tokens", 1_000))
    options = [ModelOption("openai", "m", 1, 1)]
    needs = TaskNeeds(input_tokens=300, output_tokens=200)
    assert [bool(guard.cheapest_capable(options, needs, attribution=who())) for _ in range(3)] == [True, False, False]
    assert used_of(guard) == 500


def test_what_is_pending_of_one_unit_is_nothing_of_another() -> None:
    """A budget of money that becomes a quota, and back."""
    guard = new_guard(Clocks(), policy())
    guard.decide(who(), 90)
    guard.apply(quota("requests", 10))
    assert used_of(guard) == 0
    guard.decide(who(), 90)
    assert used_of(guard) == 1
    guard.apply(policy())
    assert used(guard) == 0


def test_threads_share_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads ask for 1 USD each, again and again, while states come in: 99 pass, whatever the interleaving."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), policy("user", per=("user_id",)), quota("requests", 101, "requests"))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        allowed: list[int] = []
        done = threading.Event()

        def ask(number: int) -> None:
            mine = [guard.decide(who(user_id=f"u{number}"), 1) for _ in range(400)]
            allowed.append(sum(decision.allowed for decision in mine))
            assert all(decision.action in ("full", "refuse") for decision in mine)

        def feed() -> None:
            count = 0
            while not done.is_set():
                count += 1
                guard.apply(
                    state(0),
                    policy(owner=f"o{count}"),
                    policy(f"other-{count % 50}", {"team": f"t{count % 7}"}),
                    state(count % 90, "user", values=(f"x{count % 1000}",)),
                )

        feeder = threading.Thread(target=feed)
        askers = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in (feeder, *askers):
            thread.start()
        for thread in askers:
            thread.join()
        done.set()
        feeder.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(allowed) == 8
    assert sum(allowed) == 99
    assert guard.stats().errors == {}

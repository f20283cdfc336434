"""What the guard remembers when the topic is read, and read anew; what its messages say."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream.guard.records import TakenBack, decode
from spendstream_schemas.budget_feed import HEARTBEAT_KEY, policy_key, record_key, state_key
from tests.unit.producers.guard.support import Clocks, heartbeat, new_guard, policy, state, who


def test_records_pass_through_their_bytes() -> None:
    """Every kind; fields that a later version adds are left out."""
    for record in (policy(per=("user_id",)), state(1, values=("u/1",)), heartbeat(Clocks())):
        raw = record.model_dump_json().encode()
        assert decode(record_key(record).encode(), raw) == record
        assert decode(record_key(record).encode(), raw[:-1] + b',"new":{"a":1}}') == record


@given(st.text("ab0-", min_size=1, max_size=5), st.lists(st.text(max_size=128), max_size=3))
def test_keys_without_a_value_say_what_is_taken_back(budget_id: str, values: list[str]) -> None:
    """The values come out of the key as they went in, whatever they hold."""
    assert decode(state_key(budget_id, tuple(values)).encode(), None) == TakenBack(budget_id, tuple(values))
    assert decode(policy_key(budget_id).encode(), None) == TakenBack(budget_id, None)
    assert decode(policy_key(budget_id, 2).encode(), None) == TakenBack(budget_id, None, 2)


def test_a_heartbeat_taken_back_says_nothing() -> None:
    """The ones that do not come say it."""
    assert decode(HEARTBEAT_KEY.encode(), None) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"policy/b", b"not json"),
        (b"policy/b", b'{"type":"policy"}'),
        (b"policy/b", b'{"type":"unheard_of"}'),
        (b"state/other/", state(1).model_dump_json().encode()),
        (None, state(1).model_dump_json().encode()),
        (b"\xff\xfe", None),
        (b"", None),
        (b"policy", None),
        (b"policy/a/b", None),
        (b"policy/a@x", None),
        (b"policy/b@2", policy().model_dump_json().encode()),
        (b"state/b", None),
        (b"state/b/x", None),
        (b"state/b/9:abc", None),
        (b"state/b/1:abc", None),
        (b"state/b/3:abc/", None),
        (b"unheard/of", None),
    ],
)
def test_what_is_no_record_is_refused(key: bytes | None, value: bytes | None) -> None:
    """With a ValueError, which the feed counts."""
    if key == b"policy":
        assert decode(key, None) == TakenBack("", None)
        return
    with pytest.raises(ValueError):
        decode(key, value)


def test_a_state_may_come_before_its_policy() -> None:
    """Partitions have no common order."""
    guard = new_guard(Clocks(), state(100))
    assert guard.decide(who()).budget_id is None
    guard.apply(policy())
    assert guard.decide(who()).action == "refuse"


def test_a_changed_policy_keeps_its_states_and_what_is_pending() -> None:
    """Only what it demands is new."""
    guard = new_guard(Clocks(), policy(), state(50))
    guard.decide(who(), 10)
    guard.apply(policy(amount_usd=Decimal(1)))
    assert guard.decide(who()).used_usd == 60


def test_a_heartbeat_of_yesterday_is_none() -> None:
    """While the topic is read from its start, only one that is not older than stale_after counts; later every one."""
    clocks = Clocks()
    guard = new_guard(clocks, beat=False)
    guard._intake.load_begins()
    old = heartbeat(clocks).model_copy(update={"at": clocks.now - timedelta(seconds=31)})
    guard.apply(old)
    assert not guard.ready
    guard._intake.load_ended()
    assert not guard.wait_ready(0)
    guard.apply(old)
    assert guard.wait_ready(0)


def test_a_topic_read_anew_takes_back_what_is_not_on_it_any_more() -> None:
    """What is known is used until the topic was read, and a heartbeat on it is older than stale_after."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), policy("gone"), state(100), state(100, "gone"))
    guard._intake.load_begins()
    guard._intake.load_ended()  # an empty topic
    guard.apply(policy())
    assert guard.stats().states == 2
    for second in (1, 29):
        clocks.pass_s(second)
        guard.apply(heartbeat(clocks))
        assert guard.decide(who()).action == "refuse"
    guard.apply(state(1))
    clocks.pass_s(1)
    guard.apply(heartbeat(clocks))
    assert (guard.stats().policies, guard.stats().states) == (1, 1)
    assert guard.decide(who()).used_usd == 1


def test_a_second_new_read_starts_the_wait_again() -> None:
    """What counts is the heartbeat on the newest topic."""
    clocks = Clocks()
    guard = new_guard(clocks, policy())
    for _ in range(2):
        guard._intake.load_begins()
        guard._intake.load_ended()
        guard.apply(heartbeat(clocks))
        clocks.pass_s(29)
        guard.apply(heartbeat(clocks))
        assert guard.stats().policies == 1
    clocks.pass_s(1)
    guard.apply(heartbeat(clocks))
    assert guard.stats().policies == 0


@pytest.mark.slow
def test_a_hundred_thousand_states_are_known() -> None:
    """Each with a figure of its own, and none slow to find."""
    guard = new_guard(Clocks(), policy("user", per=("user_id",)))
    for first in range(0, 100_000, 10_000):
        guard.apply(*[state(n % 100, "user", values=(f"u{n}",)) for n in range(first, first + 10_000)])
    assert guard.stats().states == 100_000
    assert guard.decide(who(user_id="u99950")).used_usd == 50

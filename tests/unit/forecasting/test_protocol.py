"""When people are told."""

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasting.protocol import Did, State, evaluate, state_of

DAY = timedelta(days=1)


def told(chances: Sequence[float | None], *, length: int = 30, first: int = 5, exceeded: int = 99) -> list[Did]:
    """Of one evaluation a day from a day on; `exceeded`: from that evaluation on."""
    state, found = State(), []
    for number, chance in enumerate(chances):
        state = state_of(json.loads(json.dumps(state.to_dict())))
        state, did = evaluate(
            state,
            period="2027-01",
            length=length * DAY,
            elapsed=(first + number) * DAY,
            chance=chance,
            exceeded=number >= exceeded,
        )
        found.append(did)
    return found


def test_two_running() -> None:
    """One is chance; what lies between neither raises nor clears."""
    assert told([0.9, 0.7, 0.9, 0.8, 0.5, 0.4, 0.39, 0.2]) == [
        "none", "none", "none", "raised", "held", "held", "cleared", "none",
    ]  # fmt: skip


def test_once_a_period() -> None:
    """What was raised and cleared is not raised again."""
    assert told([0.9, 0.9, 0.1, 0.9, 0.9, 0.9]) == ["none", "raised", "cleared", "none", "none", "none"]


def test_not_in_the_first_days() -> None:
    """From the third day on, of a week from its first tenth on."""
    assert told([1, 1, 1], first=0) == ["none", "none", "raised"]
    assert told([1, 1], length=7, first=0) == ["none", "raised"]


def test_what_is_exceeded_is_another_alert() -> None:
    """It is not raised any more; one that was is held, whatever the chance."""
    assert told([0.9, 1, 1], exceeded=1) == ["none", "none", "none"]
    assert told([0.9, 0.9, 1, 0.0], exceeded=2) == ["none", "raised", "held", "held"]


def test_nothing_to_say_changes_nothing() -> None:
    """A refused forecast neither counts nor breaks what is running."""
    assert told([0.9, None, 0.9, None]) == ["none", "none", "raised", "held"]


def test_a_new_period_begins_anew() -> None:
    state, _ = evaluate(State("a", 2, True), period="b", length=30 * DAY, elapsed=DAY, chance=0.9, exceeded=False)
    assert state == State("b", 1)


@pytest.mark.parametrize("kept", [{"period": 1}, {"running": True}, {"other": 1}, {"raised": "yes"}])
def test_a_state_of_somebody_else(kept: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no state"):
        state_of(kept)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=40), st.integers(0, 40))
def test_at_most_two_changes(chances: list[float | None], exceeded: int) -> None:
    """Of a period, whatever happens: nobody is told in circles."""
    found = told(chances, exceeded=exceeded)
    assert found.count("raised") <= 1
    assert found.count("cleared") <= found.count("raised")

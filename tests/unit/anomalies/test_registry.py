"""Which series are watched when there are too many."""

import numpy as np

from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.registry import MORE, Registry

LEVELS = ((), ("team",), ("user_id",))


def ids(registry: Registry, *series: Series) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array([registry.names.number(one) for one in series], np.int64)


def user(name: str) -> Series:
    return Series(("user_id",), (name,))


def team(name: str) -> Series:
    return Series(("team",), (name,))


def spend(registry: Registry, usd: float, *series: Series) -> None:
    numbers = ids(registry, *series)
    registry.spent(numbers, np.full(len(numbers), usd), np.zeros(len(numbers)))


def test_there_is_a_place_for_everybody_while_there_is_room() -> None:
    """In an order that does not depend on who came first: the total, then values, users last."""
    registry = Registry(LEVELS, 10)
    taken = registry.admit(ids(registry, user("b"), team("x"), user("a"), Series()), set)
    assert [one.series for one in taken] == [Series(), team("x"), user("a"), user("b")]
    assert [one.place for one in taken] == [0, 1, 2, 3]
    assert registry.admit(ids(registry, user("b")), set) == []
    assert registry.dropped == 0


def test_what_is_no_user_takes_the_place_of_the_least_important_user() -> None:
    """At once, but not of one that must keep it; a user that comes up then waits, and is counted."""
    registry = Registry(LEVELS, 4)
    registry.admit(ids(registry, Series(), user("a"), user("b"), user("c")), set)
    spend(registry, 1, user("a"))
    spend(registry, 2, user("b"))
    spend(registry, 3, user("c"))
    kept = {registry.find(user("a"))}
    (taken,) = registry.admit(ids(registry, team("x"), user("d")), lambda: kept)
    assert (taken.series, registry.find(user("b"))) == (team("x"), -1)
    assert registry.find(user("a")) >= 0
    assert registry.dropped == 2


def test_once_an_hour_who_is_far_more_important_takes_a_place() -> None:
    """Of the same kind; otherwise places would change all the time."""
    registry = Registry(LEVELS, 3)
    registry.admit(ids(registry, Series(), user("a"), user("b")), set)
    spend(registry, 5, user("a"))
    spend(registry, 1, user("b"))
    registry.admit(ids(registry, user("c")), set)
    spend(registry, MORE * 1, user("c"))
    assert registry.hour(set()) == []
    spend(registry, 1, user("c"))
    (taken,) = registry.hour(set())
    assert taken.series == user("c")
    assert registry.find(user("b")) == -1


def test_importance_fades() -> None:
    """In a week to a half: who spent much long ago gives way."""
    registry = Registry(LEVELS, 2)
    registry.admit(ids(registry, Series(), user("a")), set)
    spend(registry, 8, user("a"))
    for _ in range(3 * 7 * 24):
        registry.hour(set())
    registry.admit(ids(registry, user("b")), set)
    spend(registry, 3, user("b"))
    assert [one.series for one in registry.hour(set())] == [user("b")]


def test_nobody_who_is_watched_is_forgotten() -> None:
    """Nor who is used, nor the more important of the others."""
    registry = Registry(LEVELS, 2)
    registry.admit(ids(registry, Series(), user("a")), set)
    spend(registry, 1, *(user(f"u{number}") for number in range(15)))
    spend(registry, 2, user("u7"), user("u8"))
    assert registry.crowded()
    used = ids(registry, user("u3"))
    new = registry.forget(used)
    assert {registry.names.series[number] for number in range(len(registry.names))} == {
        *(Series(), user("a"), user("u3"), user("u7"), user("u8")),
    }
    assert registry.names.series[new[used[0]]] == user("u3")
    assert registry.find(user("a")) == 1


def test_a_state_goes_on_as_if_nothing_had_been() -> None:
    """The same places, the same importance."""
    registry = Registry(LEVELS, 3)
    registry.admit(ids(registry, Series(), user("a"), user("b"), user("c")), set)
    spend(registry, 1, user("a"), user("b"))
    spend(registry, 0.1, user("c"))
    other = Registry.restore(LEVELS, 3, registry.dump())
    spend(registry, 3, user("c"))
    spend(other, 3, user("c"))
    assert registry.hour(set()) == other.hour(set())
    assert registry.places == other.places
    assert registry.dump() == other.dump()

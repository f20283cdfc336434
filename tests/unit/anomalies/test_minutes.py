"""Sums of minutes are exact, whatever they were grouped by."""

import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.anomalies.exact import floats, whole
from stream_jobs.anomalies.minutes import Minutes
from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.names import NOBODY, Names
from tests.unit.anomalies.test_watch import AT, LEVELS, facts, row

USD = st.decimals(-(10**6), 10**6, places=12)


@given(st.lists(st.tuples(USD, st.sampled_from(["u1", "u2", ""]), st.integers(0, 2)), min_size=1), st.integers(0, 99))
@settings(max_examples=50)
def test_sums_are_exact(rows: list[tuple[Decimal, str, int]], seed: int) -> None:
    """To the last digit, with sums below zero; the floats of equal sums are equal."""
    found = []
    for order in range(2):
        names = Names(LEVELS, 100)
        minutes = Minutes(names)
        given = [row(AT + minute, usd, user) for usd, user, minute in rows]
        rng = random.Random(seed + order)
        rng.shuffle(given)
        while given:
            size = rng.randrange(1, len(given) + 1)
            assert minutes.add(facts(given[:size]), AT) == {}
            del given[:size]
        by_name = {}
        for minute in range(3):
            held = minutes.take(AT + minute)
            cost = floats(held.sums, "effective_cost")
            for at, number in enumerate(held.ids.tolist()):
                by_name[names.series[number], minute] = whole(held.sums[at], "effective_cost"), cost[at]
        found.append(by_name)
    assert found[0] == found[1]
    for user in ("u1", "u2"):
        for minute in range(3):
            plain = sum((Fraction(usd) for usd, one, at in rows if (one, at) == (user, minute)), Fraction(0))
            of_user = found[0].get((Series(("user_id",), (user,)), minute))
            assert (of_user[0] if of_user else 0) == plain * 10**12
    assert not any("" in series.vals for series, _ in found[0])


def test_what_is_of_a_minute_that_was_judged_is_given_back() -> None:
    """And not counted."""
    names = Names(LEVELS, 100)
    minutes = Minutes(names)
    late = minutes.add(facts([row(AT - 1, Decimal(3), "u1"), row(AT, Decimal(1), "u1")]), AT)
    assert set(late) == {AT - 1}
    assert {names.series[number].name for number in late[AT - 1].ids} == {
        *("total", "provider=p", "model=m", "team=search", "user_id=u1", "team=search, user_id=u1"),
    }
    assert floats(minutes.take(AT).sums, "effective_cost").tolist() == [1.0] * 6
    assert minutes.take(AT).ids.tolist() == []


def test_numbers_of_series_can_change_while_minutes_are_held() -> None:
    """Those that somebody uses keep what is held of them."""
    names = Names(LEVELS, 100)
    minutes = Minutes(names)
    minutes.add(facts([row(AT, Decimal(3), "u0"), row(AT + 1, Decimal(5), "u1")]), AT)
    minutes.take(AT)
    minutes.renumber(names.keep(minutes.used()))
    assert names.find(Series(("user_id",), ("u0",))) == NOBODY
    minutes.add(facts([row(AT + 1, Decimal(1), "u1"), row(AT + 1, Decimal(1), "u2")]), AT)
    held = minutes.take(AT + 1)
    found = {names.series[number].name: cost for number, cost in
             zip(held.ids.tolist(), floats(held.sums, "effective_cost"), strict=True)}  # fmt: skip
    assert found["user_id=u1"] == 6
    assert found["user_id=u2"] == 1
    assert found["total"] == 7


def test_nobody_fills_the_memory_with_names() -> None:
    """Beyond the bound a value has no number, and is counted."""
    names = Names(((), ("user_id",)), 10)
    minutes = Minutes(names)
    minutes.add(facts([row(AT, Decimal(1), f"u{number}") for number in range(100)]), AT)
    held = minutes.take(AT)
    assert len(held.ids) == len(names) == 10
    assert names.untracked == 91
    assert np.array_equal(np.sort(held.ids), np.arange(10))

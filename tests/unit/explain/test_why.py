"""Why a cost moved, by the smallest sets of values."""

from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.base.json_values import json_text
from stream_jobs.explain import Explanation, cells_of, explain, joined
from tests.unit.explain.tables import rows, table_of

MODELS, USERS, FEATURES = 6, 40, 5


def traffic(seed: int, moved: dict[str, tuple[dict[str, str], float]] | None = None, growth: float = 1) -> pa.Table:
    """600 rows and 20,000 requests of about a cent; `moved`: of requests or cost, which rows, and by how much."""
    rng = np.random.default_rng(seed)
    count = 600
    user = rng.integers(0, USERS, count)
    values = {
        "model": [f"m{value}" for value in rng.integers(0, MODELS, count)],
        "user": [f"u{value}" for value in user],
        "team": [f"t{value % 7}" for value in user],
        "feature": [f"f{value}" for value in rng.integers(0, FEATURES, count)],
    }
    level = rng.lognormal(3, 1, count)
    after = level * growth
    cost = np.full(count, 0.01)
    for kind, (inside, times) in (moved or {}).items():
        mask = np.logical_and.reduce([np.array(values[name]) == value for name, value in inside.items()])
        if kind.startswith("cost"):
            cost = np.where(mask, cost * times, cost)
        else:
            after = np.where(mask, after * times, after)
    counts = rng.poisson(level), rng.poisson(after)
    sums = [
        np.array([rng.lognormal(-0.5, 1, n).sum() for n in column]) * one
        for column, one in zip(counts, (np.full(count, 0.01), cost), strict=True)
    ]
    amounts = dict(
        zip(("requests_before", "requests_after", "cost_before", "cost_after"), (*counts, *sums), strict=True)
    )
    return pa.table({**values, **amounts})


def first(explanation: Explanation) -> dict[str, str]:
    return dict(explanation.sets[0].values)


def test_one_value_is_named_with_its_factor() -> None:
    """A user whose requests are twenty times as many."""
    found = explain(cells_of(traffic(1, {"requests": ({"user": "u3"}, 20)})))
    assert first(found) == {"user": "u3"}
    assert found.sets[0].factor == "volume"
    assert found.factor == "volume"


def test_two_values_are_named_and_no_third() -> None:
    """A model in a feature whose requests cost eight times as much."""
    found = explain(cells_of(traffic(2, {"cost": ({"model": "m2", "feature": "f1"}, 8)})))
    assert first(found) == {"feature": "f1", "model": "m2"}
    assert found.sets[0].factor == "cost_per_request"
    assert found.told_together == {"cost_per_request": ("tokens_per_request", "cache", "price")}


def test_a_rise_and_a_fall_that_cancel_are_both_found() -> None:
    """At the top nearly nothing moved."""
    found = explain(cells_of(traffic(3, {"requests": ({"model": "m1"}, 2), "requests 2": ({"model": "m4"}, 0.05)})))
    assert {tuple(one.values.items()) for one in found.sets[:2]} == {(("model", "m1"),), (("model", "m4"),)}
    assert {one.excess > 0 for one in found.sets[:2]} == {True, False}


def test_growth_of_everything_is_no_cause() -> None:
    """It is common to all, and the cause beside it is found."""
    found = explain(cells_of(traffic(4, growth=3)))
    assert found.common is not None
    assert found.common.times is not None
    assert 2.7 < found.common.times < 3.3
    assert found.sets == ()
    beside = explain(cells_of(traffic(4, {"requests": ({"user": "u5"}, 30)}, growth=3)))
    assert first(beside) == {"user": "u5"}


def test_other_names_of_the_same_cells_are_told() -> None:
    """A model and its only provider."""
    table = traffic(5, {"requests": ({"model": "m3"}, 9)})
    provider = pa.array(["acme" if model == "m3" else "other" for model in table["model"].to_pylist()])
    found = explain(cells_of(table.append_column("provider", provider)))
    assert first(found) == {"model": "m3"}
    assert found.sets[0].equivalent == ({"provider": "acme"},)


def test_the_same_before_and_after_explains_nothing() -> None:
    """No set, and every part is zero."""
    table = traffic(6)
    same = table.set_column(5, "requests_after", table["requests_before"])
    same = same.set_column(same.column_names.index("cost_after"), "cost_after", table["cost_before"])
    found = explain(cells_of(same))
    assert found.excess == 0
    assert (found.sets, found.common, found.factor) == ((), None, None)
    assert set(found.decomposition.values()) == {Decimal(0)}


@given(st.integers(0, 5), st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_rows_and_columns_changes_nothing(seed: int, random: Random) -> None:
    """Not a digit."""
    table = traffic(seed, {"requests": ({"user": "u3"}, 12)})
    order = list(range(table.num_rows))
    names = list(table.column_names)
    random.shuffle(order)
    random.shuffle(names)
    assert json_text(explain(cells_of(table.take(order).select(names)))) == json_text(explain(cells_of(table)))


@given(rows())
def test_everything_adds_up(drawn: list[dict[str, Any]]) -> None:
    """Parts to their totals, sets and the unexplained to the whole: of new and vanished cells, credits, zeros."""
    found = explain(cells_of(table_of(drawn)))
    total = found.decomposition["total"]
    assert total == found.excess == found.after - found.before
    assert sum(part for name, part in found.decomposition.items() if name != "total") == total
    common = found.common.explains if found.common else 0
    assert sum(one.explains for one in found.sets) + common + found.unexplained == found.excess
    for one in found.sets:
        assert sum(one.factors.values()) == one.excess == one.after - one.before


def test_a_hundred_times_the_money_is_a_hundred_times_each_part() -> None:
    """And the same sets."""
    table = traffic(7, {"cost": ({"user": "u1"}, 40)})
    dear = table
    for name in ("cost_before", "cost_after"):
        column = pa.array([Decimal(f"{value:.9f}") for value in table[name].to_pylist()])
        table = table.set_column(table.column_names.index(name), name, column)
        dearer = pa.array([value * 100 for value in column.to_pylist()])
        dear = dear.set_column(dear.column_names.index(name), name, dearer)
    once, often = explain(cells_of(table)), explain(cells_of(dear))
    assert [one.values for one in once.sets] == [one.values for one in often.sets]
    for name, part in once.decomposition.items():
        assert abs(often.decomposition[name] - 100 * part) <= Decimal("1e-10")


def test_two_tables_are_compared_as_one() -> None:
    """What is expected and what is there, of whatever cells either has."""
    table = traffic(8, {"requests": ({"user": "u3"}, 20)})
    dimensions = ["model", "user", "team", "feature"]
    was, now = (
        table.select([*dimensions, *amounts]).rename_columns([*dimensions, "requests", "cost"])
        for amounts in (("requests_before", "cost_before"), ("requests_after", "cost_after"))
    )
    assert json_text(explain(cells_of(joined(was, now)))) == json_text(explain(cells_of(table)))


def restless(seed: int, growth: float = 1.0, credit: str = "") -> pa.Table:
    """600 cells of 60 users and five models whose prices lie far apart; requests are few, what one costs moves by 15 %
    from cell to cell, and nothing has a cause."""
    rng = np.random.default_rng(seed)
    prices, chances = [10, 1, 60, 12, 3], np.array([3, 5, 1, 2, 4]) / 15
    found: list[dict[str, Any]] = []
    for user, model, feature in zip(
        rng.integers(0, 60, 600), rng.choice(5, 600, p=chances), rng.integers(0, 12, 600), strict=True
    ):
        usual = rng.lognormal(2.5, 1) + 1
        row: dict[str, Any] = {
            "user": f"u{user}",
            "team": f"t{user % 6}",
            "model": f"m{model}",
            "feature": f"f{feature}",
        }
        for period, times in (("before", 1.0), ("after", growth)):
            row[f"requests_{period}"] = requests = rng.poisson(usual * times)
            row[f"cost_{period}"] = f"{requests * prices[model] * 1e-3 * rng.lognormal(0, 0.15):.12f}"
        found.append(row)
    if credit:
        nothing = dict.fromkeys(("requests_before", "cost_before", "requests_after"), 0)
        found.append({**found[0], "model": "credit", **nothing, "cost_after": credit})
    return table_of(found)


@given(seed=st.integers(0, 10**6), growth=st.sampled_from([1.0, 3.0]))
@settings(max_examples=12, derandomize=True)
def test_what_has_no_cause_is_given_none(seed: int, growth: float) -> None:
    """Cells of few dear requests that come and go are no cause, and all that grew alike is told as that."""
    found = explain(cells_of(restless(seed, growth)))
    assert found.sets == ()
    assert (found.common is not None) == (growth > 1)


def test_a_credit_is_a_cause() -> None:
    """Without a request, and however large beside what was spent."""
    found = explain(cells_of(restless(1, credit="-7.000000000001")))
    assert first(found) == {"model": "credit"}
    assert found.sets[0].explains == Decimal("-7.000000000001")


def sparse(seed: int, dear: dict[str, Any]) -> pa.Table:
    """`traffic`, whose costs move by chance alone, and another row."""
    table = traffic(seed)
    row = {name: [dear.get(name, 0)] for name in table.column_names}
    return pa.concat_tables([table, pa.table(row).cast(table.schema)])


@given(seed=st.integers(0, 10**6), after=st.booleans(), held=st.booleans())
@settings(max_examples=10, derandomize=True)
def test_a_single_dear_request_is_named_as_one(seed: int, *, after: bool, held: bool) -> None:
    """Whether it came or went, in a row of its own or beside another; by whose it is."""
    dear: dict[str, Any] = {"model": "m1", "user": "u9", "team": "t2", "feature": "new"}
    dear |= {"requests_before": int(held or not after), "requests_after": int(held or after)}
    dear[f"cost_{'after' if after else 'before'}"] = 300.0
    found = explain(cells_of(sparse(seed, dear)))
    assert first(found) == {"feature": "new"}
    assert found.sets[0].one_request == 300
    assert abs(found.unexplained) < 60


def test_all_new_and_all_gone_are_common() -> None:
    """No value differs from another in that."""
    table = traffic(9)
    none = pa.array([0.0] * table.num_rows)
    for period, times in (("before", None), ("after", 0.0)):
        empty = table
        for name in (f"requests_{period}", f"cost_{period}"):
            empty = empty.set_column(empty.column_names.index(name), name, none)
        found = explain(cells_of(empty))
        assert found.sets == ()
        assert found.common is not None
        assert (found.common.times, found.common.explains, found.unexplained) == (times, found.excess, Decimal(0))


def test_what_was_free_and_costs_now_is_a_cause() -> None:
    """There were requests: it is not new, and it is not common to all."""
    rows = [
        {
            "model": f"m{number % 4}",
            "user": f"u{number}",
            "requests_before": 100,
            "cost_before": 0,
            "requests_after": 100,
            "cost_after": 5 if number % 4 == 1 else 0,
        }
        for number in range(40)
    ]
    found = explain(cells_of(table_of(rows)))
    assert first(found) == {"model": "m1"}

"""What is common to all, and what is the cause of it alone."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.explain import Explanation, cells_of, explain
from tests.unit.explain.tables import table_of

PRICES = {"a": 0.001, "b": 0.01, "c": 0.0002}


def world(
    seed: int, users: int, grown: float = 1.0, mean: float = 40.0, longer: int = 1, seven: float = 1.0
) -> list[dict[str, Any]]:
    """A row per user, model and feature; requests by chance, of which each costs the same. What is expected comes from
    a stretch that is so many times longer. A user has `seven` times as many afterwards."""
    rng = np.random.default_rng(seed)
    found = []
    for user in range(users):
        own = rng.lognormal(0, 0.8)
        for model, price in PRICES.items():
            for feature in range(4):
                rate = mean * own * rng.lognormal(0, 0.3)
                was = float(rng.poisson(rate * longer)) / longer
                now = int(rng.poisson(rate * grown * (seven if user == 7 else 1.0)))
                found.append(
                    {
                        "team": f"t{user % 4}",
                        "user": f"u{user}",
                        "model": model,
                        "feature": f"f{feature}",
                        "requests_before": f"{was:.9f}",
                        "cost_before": f"{was * price:.9f}",
                        "requests_after": now,
                        "cost_after": f"{now * price:.9f}",
                    }
                )
    return found


def sums_right(found: Explanation) -> None:
    """What is left is on the side of what moved, or little of it."""
    against = -found.unexplained if found.excess > 0 else found.unexplained
    assert against <= abs(found.excess) / 10


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    times=st.sampled_from([0.0, 0.2, 4.0, 30.0, 300.0]),
    what=st.sampled_from(["user", "feature", "model", "team"]),
    mean=st.sampled_from([0.3, 3.0, 40.0]),
)
@settings(max_examples=40, derandomize=True)
def test_where_few_move_nothing_is_common(seed: int, times: float, what: str, mean: float) -> None:
    """However much it is, up or down, and of how few requests."""
    rows = world(seed, 20, mean=mean)
    rng = np.random.default_rng([seed, 1])
    one = str(rng.choice([row[what] for row in rows]))
    for row in rows:
        if row[what] == one:
            row["requests_after"] = round(row["requests_after"] * times)
            row["cost_after"] = f"{row['requests_after'] * PRICES[row['model']]:.9f}"
    assert explain(cells_of(table_of(rows))).common is None


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    times=st.sampled_from([10.0, 1000.0]),
    mean=st.sampled_from([0.02, 0.3, 4.0]),
    longer=st.sampled_from([1, 10, 60]),
)
@settings(max_examples=40, derandomize=True)
def test_a_newcomer_who_is_nearly_all_is_the_cause(seed: int, times: float, mean: float, longer: int) -> None:
    """Though what was there before is so little that some of it is many times as much by chance."""
    rows = world(seed, 10, mean=mean, longer=longer)
    size = round(times * sum(row["requests_after"] for row in rows) + 50)
    new = {"team": "t1", "user": "mallory", "model": "b", "feature": "agent", "requests_before": 0, "cost_before": 0}
    found = explain(cells_of(table_of([*rows, new | {"requests_after": size, "cost_after": f"{size * 0.02:.2f}"}])))
    assert found.common is None or found.before == 0
    if found.before:
        assert found.sets[0].values in ({"user": "mallory"}, {"feature": "agent"})
        sums_right(found)


@pytest.mark.slow
@given(seed=st.integers(0, 10**6), times=st.sampled_from([0.1, 0.5, 1.5, 3.0, 20.0]), beside=st.booleans())
@settings(max_examples=30, derandomize=True)
def test_where_all_move_it_is_common(seed: int, times: float, *, beside: bool) -> None:
    """Beside a user who does otherwise, too."""
    rows = world(seed, 20, grown=times, seven=30.0 if beside else 1.0)
    found = explain(cells_of(table_of(rows)))
    assert found.common is not None
    assert found.common.times is not None
    assert abs(np.log(found.common.times / times)) < 0.15
    assert [one.values for one in found.sets] == ([{"user": "u7"}] if beside else [])
    sums_right(found)


def steady(moved: dict[str, dict[str, float]]) -> pa.Table:
    """40 users of three models that cost the same before and after but for `moved`: by value, how many times."""
    rng = np.random.default_rng(3)
    found = []
    for model, price in PRICES.items():
        for user in range(40):
            requests = int(rng.integers(20, 200))
            times = moved.get("model", {}).get(model, 1.0) * moved.get("user", {}).get(f"u{user}", 1.0)
            found.append(
                {
                    "model": model,
                    "user": f"u{user}",
                    "requests_before": requests,
                    "cost_before": f"{requests * price:.9f}",
                    "requests_after": requests,
                    "cost_after": f"{requests * price * times:.9f}",
                }
            )
    return table_of(found)


def test_what_is_as_it_was_proves_that_nothing_is_common() -> None:
    """The model whose price fell is named, though most of the money is its."""
    found = explain(cells_of(steady({"model": {"a": 10.0, "b": 0.5}})))
    assert found.common is None
    assert [(one.values, one.times) for one in found.sets] == [({"model": "a"}, 10.0), ({"model": "b"}, 0.5)]
    assert found.unexplained == 0


@given(
    user=st.integers(0, 39),
    times=st.sampled_from([0.5, 0.8, 1.3, 1.6]),
)
@settings(max_examples=20, derandomize=True)
def test_little_is_explained_where_nothing_else_moves(user: int, times: float) -> None:
    """All of it, and by nothing more."""
    found = explain(cells_of(steady({"user": {f"u{user}": times}})))
    assert [one.values for one in found.sets] == [{"user": f"u{user}"}]
    assert found.common is None
    assert found.unexplained == 0


@given(
    st.lists(st.integers(2, 6), min_size=1, max_size=3),
    st.sampled_from([0.0, 0.25, 2.0, 4.0, 20.0]),
    st.integers(0, 2),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_one_value_among_few_is_named(sizes: list[int], times: float, which: int, by_volume: bool) -> None:
    """Two teams, one of which has four times the cost of before, are enough to say which; nothing grew in common."""
    moved = which % len(sizes)
    rows = []
    for values in np.ndindex(*sizes):
        cost = 5.0 * (times if values[moved] == 1 else 1.0)
        row: dict[str, Any] = {f"d{number}": f"v{value}" for number, value in enumerate(values)}
        after = round(500 * times) if by_volume and values[moved] == 1 else 500
        row |= {"requests_before": 500, "cost_before": "5", "requests_after": after, "cost_after": f"{cost:.6f}"}
        rows.append(row)
    found = explain(cells_of(table_of(rows)))
    assert found.common is None
    assert [one.values for one in found.sets] == [{f"d{moved}": "v1"}]
    assert found.unexplained == 0

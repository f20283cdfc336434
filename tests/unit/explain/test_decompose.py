"""The change of a cost by factor."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.explain import Cells, cells_of
from stream_jobs.explain.decompose import decompose, most
from stream_jobs.explain.factored import factored
from stream_jobs.explain.model import Factor
from tests.unit.explain.tables import TOKENS, cells, rows, table_of

USD = 10**12


def parts_of(table: Cells, by: str = "model") -> dict[Factor, int]:
    """With the values of one dimension as cells."""
    (dimension,) = [dimension for dimension in table.dimensions if dimension.name == by]
    every = np.arange(len(table))
    return decompose(factored(table, dimension.codes, len(dimension.values)), every, dimension.codes)


@given(rows())
def test_parts_add_up_to_the_pico(drawn: list[dict[str, Any]]) -> None:
    """Whatever the cells are."""
    table = cells_of(table_of(drawn))
    assert sum(parts_of(table).values()) == sum(map(int, table.cost.after)) - sum(map(int, table.cost.before))


def test_twice_the_requests_are_volume() -> None:
    """Of the same mix at the same cost."""
    parts = parts_of(cells(("a", "x", 10, 1, 20, 2), ("b", "x", 30, 6, 60, 12)))
    assert parts == {"volume": 7 * USD, "mix": 0, "cost_per_request": 0, "without_requests": 0}


def test_requests_that_move_to_a_dearer_model_are_mix() -> None:
    """As many in all."""
    parts = parts_of(cells(("a", "x", 10, 1, 5, "0.5"), ("b", "x", 10, 9, 15, "13.5")))
    assert parts == {"volume": 0, "mix": 4 * USD, "cost_per_request": 0, "without_requests": 0}


def test_a_new_cell_and_one_that_is_gone_are_volume_and_mix() -> None:
    """Nothing is known of what a request would have cost there."""
    parts = parts_of(cells(("a", "x", 10, 1, 0, 0), ("b", "x", 0, 0, 20, 8)))
    assert parts["cost_per_request"] == 0
    assert parts["volume"] + parts["mix"] == 7 * USD


def test_a_credit_without_requests_is_a_part_of_its_own() -> None:
    """It is no product."""
    parts = parts_of(cells(("a", "x", 10, 1, 10, 1), ("credit", "x", 0, -2, 0, -5)))
    assert parts == {"volume": 0, "mix": 0, "cost_per_request": 0, "without_requests": -3 * USD}


def tokens(*amounts: tuple[Any, ...]) -> Cells:
    """Rows of model, requests, cost, then input, cache reads, cache writes, output; the same after."""
    found = []
    for name, before, after in amounts:
        row: dict[str, Any] = {"model": name}
        for period, values in (("before", before), ("after", after)):
            row |= {f"requests_{period}": values[0], f"cost_{period}": values[1]}
            meters = ("input", "cache_read", "cache_write", "output")
            row |= {f"{meter}_tokens_{period}": value for meter, value in zip(meters, values[2:], strict=True)}
        found.append(row)
    assert set(TOKENS) < set(found[0])
    return cells_of(table_of(found))


@pytest.mark.parametrize(
    ("after", "factor"),
    [
        ((20, 2, 2000, 0, 0, 200), "volume"),
        ((10, 2, 2000, 0, 0, 200), "tokens_per_request"),
        ((10, 2, 1000, 0, 0, 100), "price"),
    ],
)
def test_a_factor_that_moved_alone_has_all(after: tuple[Any, ...], factor: Factor) -> None:
    """Nothing is left for the others."""
    parts = parts_of(tokens(("a", (10, 1, 1000, 0, 0, 100), after)))
    assert parts == {name: USD if name == factor else 0 for name in parts}
    assert most(parts, USD) == factor


def test_a_cache_that_is_missed_is_the_cache() -> None:
    """As many tokens, and reads that cost a tenth of fresh input no more."""
    cost = [(1000 - read + 0.1 * read + 4 * 100) / 1000 for read in (900, 0)]
    parts = parts_of(tokens(("a", (10, cost[0], 1000, 900, 0, 100), (10, cost[1], 1000, 0, 0, 100))))
    assert most(parts, 1) == "cache"
    assert parts["cache"] == round((cost[1] - cost[0]) * USD)


positive = st.floats(0.01, 1000)


@given(st.lists(st.tuples(*[positive] * 4), min_size=1, max_size=4))
def test_it_agrees_with_the_logarithmic_mean_where_that_is_defined(drawn: list[tuple[float, ...]]) -> None:
    """LMDI-I (Ang, Energy Policy 32, 2004) weighs by logarithmic means instead of orders: of small moves the same."""
    near = [(old, c, old * (1 + 0.01 * math.sin(n)), c * (1 + 0.01 * math.cos(c))) for old, c, n, _ in drawn]
    table = cells(
        *(
            (f"m{number}", "x", f"{old:.9f}", f"{old * c:.9f}", f"{new:.9f}", f"{new * d:.9f}")
            for number, (old, c, new, d) in enumerate(near)
        )
    )
    parts = parts_of(table)
    was, now = sum(row[0] for row in near), sum(row[2] for row in near)
    lmdi = {"volume": 0.0, "mix": 0.0, "cost_per_request": 0.0}
    for old, c, new, d in near:
        first, last = old * c, new * d
        mean = first if math.isclose(first, last) else (last - first) / math.log(last / first)
        lmdi["volume"] += mean * math.log(now / was)
        lmdi["mix"] += mean * math.log((new / now) / (old / was))
        lmdi["cost_per_request"] += mean * math.log(d / c)
    scale = sum(row[0] * row[1] for row in near)
    for name, expected in lmdi.items():
        assert parts[name] / USD == pytest.approx(expected, abs=1e-4 * scale)  # type: ignore[index]

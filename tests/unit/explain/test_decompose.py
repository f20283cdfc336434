"""The change of a cost by factor."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.explain import Cells, cells_of
from stream_jobs.explain.decompose import decompose, most
from stream_jobs.explain.factored import apart, factored, weighted
from stream_jobs.explain.model import Factor
from stream_jobs.explain.weights import USUAL
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


class Usage(NamedTuple):
    """Of one cell at one time: requests, what one of them has in tokens, and pico-USD for a token of fresh input."""

    requests: int
    fresh: int
    read: int
    write: int
    output: int
    price: int

    def row(self, answer: Fraction = Fraction(4)) -> tuple[Any, ...]:
        """As `tokens` takes it, at what is usual for caches."""
        billed = self.fresh + Fraction(self.read, 10) + Fraction(5 * self.write, 4) + answer * self.output
        counts = (self.fresh + self.read + self.write, self.read, self.write, self.output)
        cost = self.requests * billed * self.price
        assert cost.denominator == 1
        return self.requests, f"{int(cost)}e-12", *(self.requests * count for count in counts)


def usages(cached: int = 500) -> st.SearchStrategy[Usage]:
    counts = (st.integers(1, 50), st.integers(1, 3000), *[st.integers(0, cached)] * 2, st.integers(0, 900))
    return st.builds(Usage, *counts, st.integers(1, 50).map(lambda price: 60 * price))


def oracle(before: Sequence[Usage], after: Sequence[Usage]) -> list[Fraction]:
    """The mean over all orders in which requests, shares of them, tokens, hit rates and prices may have moved."""
    both = (before, after)

    @cache
    def cost(moved: frozenset[int]) -> Fraction:
        volume, mix, size, caching, price = (both[number in moved] for number in range(5))
        sent, found = sum(one.requests for one in volume), Fraction(0)
        for cell in range(len(before)):
            share = Fraction(mix[cell].requests, sum(one.requests for one in mix))
            hits = caching[cell]
            took = hits.fresh + hits.read + hits.write
            hit, written = Fraction(hits.read, took), Fraction(hits.write, took)
            kappa = 1 - hit - written + hit / 10 + written * 5 / 4
            taken = size[cell].fresh + size[cell].read + size[cell].write
            found += sent * share * (taken * kappa + 4 * size[cell].output) * price[cell].price
        return found

    parts = [Fraction(0)] * 5
    for order in permutations(range(5)):
        for place, number in enumerate(order):
            earlier = frozenset(order[:place])
            parts[number] += cost(earlier | {number}) - cost(earlier)
    return [part / math.factorial(5) for part in parts]


@given(st.lists(st.tuples(usages(), usages()), min_size=1, max_size=3))
def test_parts_are_the_means_over_all_orders_of_the_formula(drawn: list[tuple[Usage, Usage]]) -> None:
    """sum of N * share * (Tin * (1 - h - w + h * read + w * write) * pin + Tout * pout), each to the pico."""
    table = tokens(*((f"m{number}", old.row(), new.row()) for number, (old, new) in enumerate(drawn)))
    codes, meters = table.dimensions[0].codes, apart(table.meters)
    weights = {name: np.full(len(table), weight) for name, weight in USUAL.items()}
    parts = decompose(weighted(table, meters, weights), np.arange(len(table)), codes)
    assert parts.pop("without_requests") == 0
    expected = oracle(*zip(*drawn, strict=True))
    assert list(parts) == ["volume", "mix", "tokens_per_request", "cache", "price"]
    assert all(abs(part - truth) < 1 for part, truth in zip(parts.values(), expected, strict=True))


@given(st.lists(st.tuples(usages(), usages(), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3))
def test_an_unchanged_hit_rate_is_nothing_of_the_cache(drawn: list[tuple[Usage, Usage, int, int]]) -> None:
    """Whatever became of requests, answers and prices: not a pico."""
    rows = []
    for number, (old, new, was, now) in enumerate(drawn):
        base = old.fresh, old.read, old.write
        first, last = (
            one._replace(**dict(zip(("fresh", "read", "write"), (count * times for count in base), strict=True)))
            for one, times in ((old, was), (new, now))
        )
        rows.append((f"m{number}", first.row(), last.row()))
    assert parts_of(tokens(*rows))["cache"] == 0


@given(
    st.lists(st.tuples(usages(0), usages(0)), min_size=1, max_size=3),
    st.sampled_from([Fraction(1), Fraction(5, 2), Fraction(4), Fraction(5), Fraction(8), Fraction(25, 3)]),
)
def test_unchanged_prices_without_a_cache_are_nothing_of_the_price(
    drawn: list[tuple[Usage, Usage]], answer: Fraction
) -> None:
    """Whatever an answer costs beside a question: not a pico."""
    parts = parts_of(
        tokens(
            *(
                (f"m{number}", old.row(answer), new._replace(price=old.price).row(answer))
                for number, (old, new) in enumerate(drawn)
            )
        )
    )
    assert (parts["price"], parts["cache"]) == (0, 0)


@given(usages(), usages(), st.sampled_from(["volume", "tokens_per_request", "cache", "price"]))
def test_one_factor_that_moves_has_all_and_the_others_nothing(old: Usage, new: Usage, factor: Factor) -> None:
    """The direct formula: to the pico."""
    size = old.fresh + old.read + old.write
    hit = min(size, new.read)
    moved = {
        "volume": old._replace(requests=new.requests),
        "tokens_per_request": old._replace(
            **{name: new.fresh * getattr(old, name) for name in ("fresh", "read", "write", "output")}
        ),
        "cache": old._replace(fresh=size - hit, read=hit, write=0),
        "price": old._replace(price=new.price),
    }[factor]
    table = tokens(("a", old.row(), moved.row()))
    parts = parts_of(table)
    change = int(table.cost.after[0]) - int(table.cost.before[0])
    assert parts == {name: change if name == factor else 0 for name in parts}


def counted(*meters: tuple[str, int, int], cost: tuple[int, int] = (1, 2)) -> dict[Factor, int]:
    """Ten requests before and after, with these tokens."""
    row: dict[str, Any] = {"model": "a", "requests_before": 10, "requests_after": 10}
    row |= {"cost_before": cost[0], "cost_after": cost[1]}
    for name, before, after in meters:
        row |= {f"{name}_before": before, f"{name}_after": after}
    return parts_of(cells_of(table_of([row])))


def test_what_is_not_counted_is_not_told() -> None:
    """Tokens of all kinds, input or answers alone, reads without what was not cached: each as far as it goes."""
    for names in (["tokens"], ["input_tokens"], ["output_tokens"], ["input_tokens", "output_tokens"]):
        parts = counted(*((name, 100, 200) for name in names))
        assert parts == {"volume": 0, "mix": 0, "tokens_per_request": USD, "price": 0, "without_requests": 0}
    parts = counted(("cache_read_tokens", 100, 100), ("output_tokens", 50, 50))
    assert parts == {"volume": 0, "mix": 0, "tokens_per_request": 0, "price": USD, "without_requests": 0}
    assert counted() == {"volume": 0, "mix": 0, "cost_per_request": USD, "without_requests": 0}


def test_a_cell_that_costs_without_tokens_has_a_price_alone() -> None:
    """Beside one that has tokens: images, say."""
    text = (10, 1, 1000, 0, 0, 100)
    parts = parts_of(tokens(("a", text, text), ("image", (5, 1, 0, 0, 0, 0), (5, 3, 0, 0, 0, 0))))
    assert parts == {name: 2 * USD if name == "price" else 0 for name in parts}


def test_input_that_was_not_there_before_is_tokens() -> None:
    """Of answers alone, at the price of an answer."""
    parts = parts_of(tokens(("a", (10, 4, 0, 0, 0, 1000), (10, 5, 1000, 0, 0, 1000))))
    assert parts == {name: USD if name == "tokens_per_request" else 0 for name in parts}


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

"""Shapley values of a product."""

from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from math import factorial, prod

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.explain.shapley import product_shares, whole_parts

FACTORS = st.lists(st.tuples(st.integers(-50, 1000), st.integers(-50, 1000)), min_size=1, max_size=5)


def by_orders(before: list[int], after: list[int]) -> list[Fraction]:
    """The definition: the mean over all orders of what each adds when it moves."""
    shares = [Fraction(0)] * len(before)
    for order in permutations(range(len(before))):
        now = list(before)
        for index in order:
            old = prod(now)
            now[index] = after[index]
            shares[index] += Fraction(prod(now) - old, factorial(len(before)))
    return shares


@given(FACTORS)
def test_shares_are_the_mean_over_all_orders(factors: list[tuple[int, int]]) -> None:
    """Of zeros and negative factors, too."""
    before, after = ([pair[index] for pair in factors] for index in range(2))
    found = product_shares([Decimal(value) for value in before], [Decimal(value) for value in after])
    for share, expected in zip(found, by_orders(before, after), strict=True):
        assert abs(Fraction(share) - expected) < Fraction(1, 10**40)


@given(FACTORS, st.randoms(use_true_random=False))
def test_the_order_of_factors_does_not_matter(factors: list[tuple[int, int]], random: object) -> None:
    """Each keeps its share, rounded too."""
    order = list(range(len(factors)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shares = product_shares(*([Decimal(pair[index]) for pair in factors] for index in range(2)))
    mixed = product_shares(*([Decimal(factors[place][index]) for place in order] for index in range(2)))
    for place, share in zip(order, mixed, strict=True):
        assert abs(share - shares[place]) < Decimal(1).scaleb(-20)


@given(st.lists(st.decimals(-(10**9), 10**9, places=6), min_size=1, max_size=7))
def test_rounded_parts_add_up(parts: list[Decimal]) -> None:
    """To the nearest whole total, each less than one away from what it was."""
    total = round(sum(parts))
    parts[0] += total - sum(parts)
    found = whole_parts(parts, total)
    assert sum(found) == total
    assert all(abs(whole - part) < 1 for whole, part in zip(found, parts, strict=True))

"""Shapley values of a product of factors: how much each contributed to its change, whatever the order they changed in.

The value of a coalition is the product in which its members have moved and the others have not. A factor's share is the
mean of what it adds over all orders (Shapley, A value for n-person games, 1953; for decompositions of sums of products
Sun, Energy Economics 20, 1998, and Shorrocks, J. Economic Inequality 11, 2013). Exact, so nothing is left over; a
factor that did not move gets nothing; zeros and signs do not matter.
"""

from collections.abc import Sequence
from decimal import Context, Decimal
from math import factorial
from typing import Final

DIGITS: Final = Context(prec=80)
"""Of intermediate results, far beyond a pico of any amount: 38 digits are the most that the ledger holds."""
_ZERO: Final = Decimal(0)
_REMAINDER_PLACES: Final = Decimal(1).scaleb(-24)


def product_shares(before: Sequence[Decimal], after: Sequence[Decimal]) -> list[Decimal]:
    """A share for each factor, which add up to the product of `after` less that of `before`."""
    moved = [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    fixed = Decimal(1)
    for old, new in zip(before, after, strict=True):
        if old == new:
            fixed = DIGITS.multiply(fixed, old)
    shares = [_ZERO] * len(before)
    if not fixed:
        return shares
    weights = _weights(len(moved))
    for index in moved:
        # The coefficient of x^j is the sum of the products in which j of the others have moved.
        others = [Decimal(1)]
        for other in moved:
            if other != index:
                others = _times(others, before[other], after[other])
        mean = _ZERO
        for weight, coefficient in zip(weights, others, strict=True):
            mean = DIGITS.fma(weight, coefficient, mean)
        step = DIGITS.subtract(after[index], before[index])
        shares[index] = DIGITS.multiply(fixed, DIGITS.multiply(step, mean))
    return shares


def whole_parts(parts: Sequence[Decimal], total: int) -> list[int]:
    """Whole numbers next to the parts that add up to the total, which the parts do but for their last digits: the
    largest remainders are rounded up, the first of equal ones."""
    floors = [int(part.to_integral_value("ROUND_FLOOR", DIGITS)) for part in parts]
    remainders = [
        DIGITS.quantize(DIGITS.subtract(part, Decimal(floor)), _REMAINDER_PLACES)
        for part, floor in zip(parts, floors, strict=True)
    ]
    missing = total - sum(floors)
    for index in sorted(range(len(parts)), key=lambda index: -remainders[index])[:missing]:
        floors[index] += 1
    return floors


def _times(polynomial: list[Decimal], old: Decimal, new: Decimal) -> list[Decimal]:
    """Times (old + new x)."""
    product = [DIGITS.multiply(coefficient, old) for coefficient in polynomial] + [_ZERO]
    for power, coefficient in enumerate(polynomial):
        product[power + 1] = DIGITS.fma(coefficient, new, product[power + 1])
    return product


def _weights(factors: int) -> list[Decimal]:
    """Of a coalition of j others: j! (k - 1 - j)! / k!"""
    return [
        DIGITS.divide(Decimal(factorial(size) * factorial(factors - 1 - size)), Decimal(factorial(factors)))
        for size in range(factors)
    ]

"""Rounding where a person looks: lines that add up to the rounded total (largest remainder)."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

_WIDE: Final = Context(prec=76)


def rounded(lines: Sequence[tuple[str, Decimal]], places: int) -> tuple[list[Decimal], Decimal]:
    """The lines (name and amount) to so many places, and their total: that of the exact amounts, rounded half to even.

    Each line is one last place off at most. What is left over goes to the largest remainders, ties by name.
    """
    unit = Decimal(1).scaleb(-places)
    total = Decimal(0)
    for _, amount in lines:
        total = _WIDE.add(total, amount)
    total = total.quantize(unit, ROUND_HALF_EVEN, _WIDE)
    floors = [amount.quantize(unit, ROUND_FLOOR, _WIDE) for _, amount in lines]
    left = int(_WIDE.divide(_WIDE.subtract(total, _sum(floors)), unit))
    order = sorted(range(len(lines)), key=lambda at: (_WIDE.subtract(floors[at], lines[at][1]), lines[at][0]))
    for at in order[:left]:
        floors[at] = _WIDE.add(floors[at], unit)
    return floors, total


def places_for(total: Decimal) -> int:
    """Cents from a dollar on; below it four digits more, so that a cost per request is not 0."""
    return 2 if not total or total.copy_abs() >= 1 else 6


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _WIDE.add(total, amount)
    return total

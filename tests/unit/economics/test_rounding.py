"""Rounded lines add up to the rounded total."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.economics.rounding import places_for, rounded

amounts = st.decimals(Decimal(-(10**20)), Decimal(10**20), places=12)


@given(st.lists(st.tuples(st.text(max_size=3), amounts), max_size=30), st.integers(0, 6))
def test_lines_add_up_to_the_total_and_none_is_more_than_a_place_off(
    lines: list[tuple[str, Decimal]], places: int
) -> None:
    """Whatever the amounts are, negative ones too."""
    shown, total = rounded(lines, places)
    unit = Decimal(1).scaleb(-places)
    assert sum(map(Fraction, shown), Fraction(0)) == Fraction(total)
    exact = sum((Fraction(amount) for _, amount in lines), Fraction(0))
    assert abs(Fraction(total) - exact) * 2 <= Fraction(unit)
    assert all(
        abs(Fraction(one) - Fraction(amount)) < Fraction(unit) for one, (_, amount) in zip(shown, lines, strict=True)
    )


def test_what_is_left_over_goes_to_the_largest_remainders_ties_by_name() -> None:
    """3.34, 3.33, 3.33 of 10 over three."""
    third = Decimal("3.333333333333")
    lines = [("c", third), ("a", third), ("b", Decimal("3.333333333334"))]
    assert rounded(lines, 2) == ([Decimal("3.33"), Decimal("3.33"), Decimal("3.34")], Decimal("10.00"))
    assert rounded([("b", third), ("a", third), ("c", third)], 2)[0] == list(map(Decimal, ("3.33", "3.34", "3.33")))
    assert rounded([], 2) == ([], Decimal("0.00"))


def test_small_totals_have_more_places() -> None:
    """Cents from a dollar on."""
    assert [places_for(Decimal(text)) for text in ("0", "1", "-250", "0.004")] == [2, 2, 2, 6]
    assert Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_EVEN) == rounded([("", Decimal("2.675"))], 2)[1]

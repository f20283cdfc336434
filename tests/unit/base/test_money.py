"""Exact money."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.money import PICO_PER_USD, divide_half_even, pico_from_usd, usd_from_pico, usd_text

PICO = st.integers(-(10**30), 10**30)


@given(PICO)
def test_pico_to_usd_and_back_changes_nothing(pico: int) -> None:
    """Both forms hold the same amount, up to a trillion trillion USD and in both signs."""
    assert pico_from_usd(usd_from_pico(pico)) == pico
    assert Fraction(usd_from_pico(pico)) == Fraction(pico, PICO_PER_USD)


@given(PICO)
def test_the_text_is_exact_plain_and_without_superfluous_zeros(pico: int) -> None:
    """No exponent, no trailing zero, and the same amount when read again."""
    text = usd_text(pico)
    assert pico_from_usd(Decimal(text)) == pico
    assert "E" not in text
    assert not ("." in text and text.endswith(("0", ".")))


def test_known_texts() -> None:
    """Whole amounts keep their zeros; the smallest amount has twelve places."""
    cases = {0: "0", 1: "0.000000000001", 2_500_000_000: "0.0025", 100 * PICO_PER_USD: "100", -PICO_PER_USD: "-1"}
    assert {pico: usd_text(pico) for pico in cases} == cases


@given(st.integers(-(10**24), 10**24), st.integers(1, 10**12))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    """The standard library's exact rounding of fractions is the oracle."""
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(-(10**20), 10**20))
def test_an_amount_between_two_picos_goes_to_the_even_one(pico: int) -> None:
    """Half a pico-USD is never systematically gained or lost."""
    half = usd_from_pico(pico) + Decimal("0.0000000000005")
    assert pico_from_usd(half) == (pico if pico % 2 == 0 else pico + 1)

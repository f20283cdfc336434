"""What amounts are as they are written, counted, kept and read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.money import pico_from_usd
from stream_jobs.budget_terms.units import QUOTAS, Unit

EUR = Unit("EUR", Decimal("1.083712345678"))
RATES = st.decimals("0.00001", "50000", places=12)
CENTS = st.decimals("0.01", "1000000000", places=2)


@given(CENTS, RATES)
def test_an_amount_in_a_currency_is_read_as_it_was_written(amount: Decimal, rate: Decimal) -> None:
    """Whatever the rate is, and however its product was rounded."""
    unit = Unit("EUR", rate)
    kept = unit.kept(unit.pico(amount))
    assert unit.stated(kept) == amount
    assert unit.text(kept) == f"{amount:,.2f} EUR" or amount < 1


@given(st.integers(1, 10**20), st.integers(-3, 3), st.sampled_from([Unit(), EUR, Unit("XAU", Decimal(4000))]))
def test_what_is_not_used_up_never_looks_so(amount: int, less: int, unit: Unit) -> None:
    """By a single pico-USD, in any currency; and what is used up does."""
    used, whole = (unit.kept(pico) for pico in (amount - less, amount))
    first, second = unit.bare(used, whole)
    assert (first == second) == (less == 0)
    assert unit.of(used, whole) == f"{first} of {second}"


@given(st.integers(-(10**30), 10**30), st.sampled_from([Unit(), EUR, *map(Unit, QUOTAS)]))
def test_what_is_kept_is_the_same_when_it_was_counted_again(pico: int, unit: Unit) -> None:
    """To the last digit, in any unit."""
    kept = unit.kept(pico)
    assert unit.kept(unit.counted(kept)) == kept


@given(st.integers(0, 10**30), st.sampled_from(QUOTAS))
def test_what_is_kept_of_a_quota_is_never_more_than_was_counted(pico: int, name: str) -> None:
    """Hours of a GPU are cut to twelve places; tokens and requests are exact."""
    unit = Unit(name)
    assert unit.kept_in == name
    kept = pico_from_usd(unit.kept(pico)) * (3600 if name == "gpu_hours" else 1)
    assert pico - kept in range(3600 if name == "gpu_hours" else 1)


@pytest.mark.parametrize(
    ("unit", "used", "amount", "text"),
    [
        (Unit(), "1.9996", "2", "$1.9996 of $2.00"),
        (EUR, "1083.712345678", "2167.424691356", "1,000.00 EUR of 2,000.00 EUR"),
        (Unit("tokens"), "4999999", "5000000", "4,999,999 of 5,000,000 tokens"),
        (Unit("requests"), "0", "0", "0 of 0 requests"),
        (Unit("gpu_hours"), "9.9999", "10", "9.9999 GPU hours of 10.00 GPU hours"),
    ],
)
def test_people_read_the_unit(unit: Unit, used: str, amount: str, text: str) -> None:
    """With all the digits of a count, and so many of others as it takes."""
    assert unit.of(Decimal(used), Decimal(amount)) == text


def test_what_is_used_never_looks_like_a_threshold_that_is_not_crossed() -> None:
    """Told apart from every amount at which people are told, not only from the whole one."""
    assert Unit().of(Decimal("499.9996"), Decimal(1000), [Decimal(500)]) == "$499.9996 of $1,000.00"
    assert Unit().of(Decimal("500"), Decimal(1000), [Decimal(500)]) == "$500.00 of $1,000.00"


@pytest.mark.parametrize(("amount", "text"), [("0.25", "0.25 tokens"), ("12.7", "12 tokens"), ("-3", "-3 tokens")])
def test_a_rate_of_a_count_may_have_parts(amount: str, text: str) -> None:
    """As few as say something."""
    assert Unit("tokens").text(Decimal(amount)) == text

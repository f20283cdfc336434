"""Numbers and times for reading."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.readable import count, duration, exact, money, others, percent

AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=12, allow_nan=False)


@given(AMOUNTS)
def test_exact_text_loses_nothing(amount: Decimal) -> None:
    """The text is the amount, in plain notation."""
    assert Decimal(exact(amount)) == amount
    assert "E" not in exact(amount)


@given(AMOUNTS)
def test_money_is_within_its_rounding(amount: Decimal) -> None:
    """Half a cent above a dollar, half a percent below."""
    shown = Decimal(money(amount).replace("$", "").replace(",", ""))
    assert abs(shown - amount) <= max(Decimal("0.005"), 0 if abs(amount) >= 1 else abs(amount) * Decimal("0.005"))
    if amount:
        assert shown != 0


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0"),
        ("1234.567", "$1,234.57"),
        ("-1234.567", "-$1,234.57"),
        ("0.1", "$0.100"),
        ("0.9999", "$1.00"),
        ("0.00412345", "$0.00412"),
        ("0.000000000001", "$0.00000000000100"),
        ("1234.565", "$1,234.56"),
        ("9999.999999999999", "$10,000.00"),
        ("99999999999999999999999999.999999999999", "$100,000,000,000,000,000,000,000,000.00"),
        ("1E+40", "$10,000,000,000,000,000,000,000,000,000,000,000,000,000.00"),
        ("0E-12", "$0"),
    ],
)
def test_known_amounts(amount: str, text: str) -> None:
    """Two places above a dollar, three significant digits below; half to even, whatever the size."""
    assert money(Decimal(amount)) == text


def test_another_currency_is_named() -> None:
    """In the same form."""
    assert (money(Decimal(1000), "EUR"), money(Decimal("-0.5"), "EUR")) == ("1,000.00 EUR", "-0.500 EUR")


def test_counts_shares_and_durations() -> None:
    """Short, and never misleading: a tiny share is not 0.0 %."""
    assert (count(9_999_999), count(12_345_678), count(-5)) == ("9,999,999", "12.3 M", "-5")
    assert (percent(1, 3), percent(1, 100_000), percent(0, 5), percent(5, 0)) == ("33.3 %", "< 0.1 %", "0.0 %", "–")  # noqa: RUF001
    assert duration(timedelta(hours=1)) == "1 hour"
    assert duration(timedelta(days=2, hours=3, minutes=4)) == "2 days 3 hours"
    assert (others(1), others(1200)) == ("1 other", "1,200 others")

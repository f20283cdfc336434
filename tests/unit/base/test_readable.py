"""Numbers and times for reading."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.readable import apart, count, duration, end_of, events, exact, money, others, percent, reached

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


@pytest.mark.parametrize(
    ("used", "amount", "shown", "share"),
    [
        ("1.9996", "2", ("$1.9996", "$2.00"), "99.9 %"),
        ("1.99999999", "2", ("$1.99999999", "$2.00"), "99.9 %"),
        ("2", "2", ("$2.00", "$2.00"), "100.0 %"),
        ("2.000000000001", "2", ("$2.000000000001", "$2.00"), "100.0 %"),
        ("0.49999", "0.5", ("$0.49999", "$0.500"), "99.9 %"),
        ("0.1231", "0.123", ("$0.1231", "$0.1230"), "100.0 %"),
        ("1000.004", "1000.0041", ("$1,000.0040", "$1,000.0041"), "99.9 %"),
        ("1", "2", ("$1.00", "$2.00"), "50.0 %"),
        ("0", "2", ("$0", "$2.00"), "0.0 %"),
        ("0.001", "2", ("$0.00100", "$2.00"), "< 0.1 %"),
        ("-0.00001", "2", ("-$0.0000100", "$2.00"), "-0.1 %"),
    ],
)
def test_what_is_not_used_up_does_not_look_so(used: str, amount: str, shown: tuple[str, str], share: str) -> None:
    """Two amounts that differ read differently, and no share is rounded up."""
    assert apart(Decimal(used), Decimal(amount)) == shown
    assert reached(Decimal(used), Decimal(amount)) == share


@given(st.integers(0, 10**30), st.integers(1, 10**30))
def test_used_and_amount_read_the_same_where_they_are_only(used: int, amount: int) -> None:
    """To the last pico-USD; and 100 % are said from the amount on."""
    pair = Decimal(f"{used}e-12"), Decimal(f"{amount}e-12")  # scaleb would round to 28 digits
    first, second = apart(*pair)
    assert (first == second) == (used == amount)
    share = reached(*pair)
    assert (share == "< 0.1 %" or Decimal(share.removesuffix(" %")) < 100) == (used < amount)


def test_there_is_no_share_of_nothing_or_less() -> None:
    """An amount that was cut below zero has been passed, whatever was spent."""
    assert {reached(Decimal(used), Decimal(whole)) for used in (0, 57) for whole in (0, -1)} == {"\N{EN DASH}"}


def test_one_event_is_one() -> None:
    """Also where there are many."""
    assert [events(number) for number in (0, 1, 12_345)] == ["0 events", "1 event", "12,345 events"]


def test_an_end_on_another_day_has_its_date() -> None:
    """A day from midnight to midnight does not end when it begins."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    assert end_of(start, start + timedelta(hours=13)) == "13:00"
    assert end_of(start, start + timedelta(hours=13), seconds=True) == "13:00:00"
    assert end_of(start, start + timedelta(days=1)) == "2026-03-02 00:00"
    assert end_of(start, start + timedelta(days=1), seconds=True) == "2026-03-02 00:00:00"

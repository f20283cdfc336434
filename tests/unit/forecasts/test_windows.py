"""What a window will hold."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasts.windows import total_of, window_of
from tests.unit.forecasts.seen import HOUR, NOW, hours


def test_what_is_older_than_the_window_drops_out() -> None:
    """Of four hours with 10 each, and more of the same, a window of four holds 40 for ever."""
    window = window_of(4, Unit(), Decimal(45), [Decimal(10)] * 9, hours(10))
    assert window.spent == 40
    assert [band.p50 for band in window.bands] == [Decimal(40)] * 4
    assert window.gone == (NOW + 2 * HOUR, None, None)  # P90: 20 + 24, then 10 + 36


def test_a_young_window_fills_up() -> None:
    """Nothing drops out of it before it is as old as it is long."""
    window = window_of(24, Unit(), Decimal(45), [Decimal(10)] * 2, hours(30))
    assert window.gone[1] == NOW + 2 * HOUR
    assert len(window.bands) == 24


@given(st.lists(st.integers(0, 100), max_size=40), st.integers(1, 30), st.integers(0, 30))
def test_bands_rise_and_hold_no_less_than_what_stays(came: list[int], length: int, ahead: int) -> None:
    """However little is known, and however far is looked ahead."""
    window = window_of(length, Unit(), Decimal(500), [Decimal(one) for one in came], hours(ahead))
    assert len(window.bands) == min(length, ahead)
    assert all(0 <= band.p10 <= band.p50 <= band.p90 for band in window.bands)
    early, middle, late = ((at is None, at or NOW) for at in window.gone)
    assert early <= middle <= late


def test_a_total_drops_nothing() -> None:
    """300 are spent, and 10 an hour come: 340 are passed in the fifth."""
    held = total_of(Unit(), Decimal(340), Decimal(300), Decimal(0), hours(10))
    assert held.hours is None
    assert [band.p50 for band in held.bands] == [Decimal(300 + 10 * (number + 1)) for number in range(10)]
    assert held.gone == (NOW + 3 * HOUR, NOW + 4 * HOUR, NOW + 5 * HOUR)
    assert total_of(Unit(), Decimal(340), Decimal(341), Decimal(0), hours(2)).gone[1] == NOW
    assert total_of(Unit(), Decimal(340), Decimal(300), Decimal(0), hours(2)).gone == (None, None, None)


def test_what_came_since_the_forecast_begins_is_in_both() -> None:
    """And no total comes to less than it is: 25 came in an hour of which 10 were expected."""
    held = total_of(Unit(), Decimal(340), Decimal(325), Decimal(25), hours(10))
    assert held.spent == 325
    assert [band.p50 for band in held.bands][:4] == [325, 325, 330, 340]

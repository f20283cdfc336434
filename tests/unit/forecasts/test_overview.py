"""What the model says of a time that somebody expects something of."""

from decimal import Decimal

from stream_jobs.forecasts.overview import said_of
from tests.unit.forecasts.seen import HOUR, NOW, hours


def test_from_its_beginning_on_the_band_is_that_of_the_sum() -> None:
    said = said_of(hours(10), (NOW, NOW + 4 * HOUR))
    assert said == (Decimal(32), Decimal(40), Decimal(48))


def test_of_a_later_time_the_band_is_rather_too_wide() -> None:
    said = said_of(hours(10), (NOW + 2 * HOUR, NOW + 4 * HOUR))
    assert said == (Decimal(10), Decimal(20), Decimal(40))


def test_of_what_is_not_covered_nothing_is_said() -> None:
    """From a step's beginning to another's, or nothing."""
    assert said_of(hours(10), (NOW - HOUR, NOW + HOUR)) is None
    assert said_of(hours(10), (NOW, NOW + 11 * HOUR)) is None
    assert said_of([], (NOW, NOW + HOUR)) is None

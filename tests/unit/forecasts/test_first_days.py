"""What began today, in a run of days."""

from datetime import date

import pytest

from stream_jobs.forecasts.first_days import hours_left
from tests.unit.forecasts.build import BERLIN


@pytest.mark.parametrize(
    ("day", "length"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 1), 24)]
)
def test_a_day_is_as_long_as_its_clock_makes_it(day: date, length: int) -> None:
    """What is left of the present one, and all of the others."""
    origin = day.toordinal()
    assert hours_left(BERLIN, origin, BERLIN.start(origin), 3) == [length, 24, 24]
    assert hours_left(BERLIN, origin - 1, BERLIN.start(origin), 3) == [0, length, 24]
    assert hours_left(BERLIN, origin, BERLIN.start(origin + 1), 0) == []

"""The band of a step, from those of hours."""

from datetime import timedelta

from stream_jobs.anomalies.bands import HOUR, Band, band_of
from tests.unit.anomalies.build import MINUTE, START

ONE = Band(60.0, 30.0, 120.0)


def test_a_minute_has_its_part_of_the_hour_that_ends_soonest_after_it() -> None:
    """Hours are kept every five minutes of what is open, else once an hour."""
    two = Band(120.0, 60.0, 240.0)
    bands = {START + HOUR: ONE, START + 10 * MINUTE: two}
    assert band_of(bands, START + 3 * MINUTE, MINUTE) == two.part(1 / 60)
    assert band_of(bands, START + 9 * MINUTE, MINUTE) == two.part(1 / 60)
    assert band_of(bands, START + 10 * MINUTE, MINUTE) == ONE.part(1 / 60)
    assert band_of(bands, START + 55 * MINUTE, 5 * MINUTE) == ONE.part(5 / 60)
    assert band_of(bands, START + HOUR, MINUTE) is None
    assert band_of(bands, START - HOUR, MINUTE) is None


def test_chance_is_larger_in_a_part_than_its_share() -> None:
    """As the root of its length; never less than nothing, but where the whole may be."""
    assert ONE.part(0.25) == (15.0, 0.0, 45.0)
    assert Band(60.0, -4.0, 120.0).part(0.25) == (15.0, -17.0, 45.0)


def test_longer_steps_are_their_hours_together() -> None:
    """All of them, or none."""
    bands = {START + HOUR * number: ONE for number in range(1, 24)}
    assert band_of(bands, START, HOUR) == ONE
    assert band_of(bands, START, timedelta(days=1)) is None
    bands[START + 24 * HOUR] = Band(120.0, 60.0, 240.0)
    assert band_of(bands, START, timedelta(days=1)) == (1500, 750, 3000)

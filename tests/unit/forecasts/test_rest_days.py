"""The public holidays of a country."""

from datetime import date

from stream_jobs.forecasts.rest_days import knows, rest_days


def test_the_holidays_of_a_country_are_days_of_the_years_asked_for() -> None:
    """Of none there are none."""
    found = rest_days("DE", 2025, 2026)
    assert {date(2025, 1, 1).toordinal(), date(2026, 12, 25).toordinal()} <= found
    assert date(2025, 12, 24).toordinal() not in found
    assert {date.fromordinal(day).year for day in found} == {2025, 2026}
    assert rest_days("", 2025, 2026) == frozenset()


def test_countries_are_known_by_their_two_letters() -> None:
    """And no others."""
    assert knows("DE")
    assert not knows("XX")

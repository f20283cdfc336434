"""SPENDSTREAM_FORECASTS_*."""

import pytest
from pydantic import ValidationError

from stream_jobs.forecasts.settings import ForecastsSettings


def test_a_zone_is_one() -> None:
    """What is wrong is said at start."""
    assert ForecastsSettings(zone="Europe/Berlin").zone == "Europe/Berlin"
    with pytest.raises(ValidationError, match="no time zone"):
        ForecastsSettings(zone="Mars")


def test_a_country_is_one_whose_holidays_are_known() -> None:
    """By its two letters, in any case; none is none."""
    assert ForecastsSettings(country="de").country == "DE"
    assert ForecastsSettings().country == ""
    with pytest.raises(ValidationError, match="no holidays are known of a country 'XX'"):
        ForecastsSettings(country="XX")

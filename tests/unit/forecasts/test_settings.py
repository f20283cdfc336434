"""SPENDSTREAM_FORECASTS_*."""

import pytest
from pydantic import ValidationError

from stream_jobs.forecasts.settings import ForecastsSettings


def test_a_zone_is_one_and_a_country_has_two_letters() -> None:
    """What is wrong is said at start."""
    assert ForecastsSettings(zone="Europe/Berlin", country="DE").country == "DE"
    with pytest.raises(ValidationError, match="no time zone"):
        ForecastsSettings(zone="Mars")
    with pytest.raises(ValidationError, match="country"):
        ForecastsSettings(country="Germany")

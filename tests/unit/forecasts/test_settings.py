"""SPENDSTREAM_FORECASTS_*."""

import pytest
from pydantic import ValidationError

from stream_jobs.forecasts.settings import ForecastsSettings


def test_a_zone_is_one() -> None:
    """What is wrong is said at start."""
    assert ForecastsSettings(zone="Europe/Berlin").zone == "Europe/Berlin"
    with pytest.raises(ValidationError, match="no time zone"):
        ForecastsSettings(zone="Mars")

"""What readers find, made up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.read import Ahead, Band, Made, OneSeries

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MADE = Made("hour", NOW, NOW - timedelta(minutes=1))


def one(series: OfSeries = OfSeries(), label: str = "steady", why: str = "") -> OneSeries:  # noqa: B008 - never changed
    return OneSeries(MADE, series, "UTC", label, why, "middle", ("naive", "drift"), 500, 40, 0.81, 0.78)


def hours(count: int, each: int = 10) -> list[Ahead]:
    """The same in each hour: twice as much is one in ten, half of it too."""
    return [
        Ahead(
            NOW + number * HOUR,
            Band(Decimal(each) / 2, Decimal(each), Decimal(each) * 2),
            Band(*(Decimal(each) * (number + 1) * part for part in (Decimal("0.8"), Decimal(1), Decimal("1.2")))),
        )
        for number in range(count)
    ]

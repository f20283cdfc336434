"""Forecasts of demand for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime

from stream_jobs.forecasts.demand import HOUR, DemandHour, Deployment, Outlook

NINE = datetime(2026, 11, 30, 9, tzinfo=UTC)
CHAT = Deployment("openai", "gpt-4o")


def hours(
    requests: Sequence[float | None], *, tokens: float | None = 100.0, begin: datetime = NINE
) -> list[DemandHour]:
    """From `begin` on. The P90 is twice the median."""
    return [
        DemandHour(
            begin + number * HOUR,
            {"0.5": rate, "0.9": None if rate is None else 2 * rate},
            {"0.5": tokens, "0.9": None if tokens is None else 2 * tokens},
        )
        for number, rate in enumerate(requests)
    ]


def outlook(of: dict[Deployment, list[DemandHour]], *, read: datetime = NINE, stale: str = "") -> Outlook:
    return Outlook(read, of, NINE, stale)

"""Findings and instants for the tests of data quality."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from stream_jobs.data_quality.finding import Finding
from stream_jobs.data_quality.settings import DataQualitySettings

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
SETTINGS = DataQualitySettings()


def finding(check: str = "unpriced", *subject: str, **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "check": check,
        "subject": subject,
        "name": "UnpricedUsage",
        "severity": "warning",
        "summary": "something",
        "facts": {"how much": "5"},
        "action": "do something",
        "value": Decimal(1),
    }
    return Finding(**(fields | changes))

"""The report for machines: the same figures, amounts as exact decimal strings of USD, instants as ISO 8601 in UTC."""

import dataclasses
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.base.readable import exact
from stream_jobs.report.data import ReportData


def as_json(data: ReportData) -> dict[str, Any]:
    """JSON values only. Keys are the field names of ReportData; `bucket` is in seconds."""
    found = _plain(data)
    assert isinstance(found, dict)
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value

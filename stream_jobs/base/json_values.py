"""The one form of JSON that we show: decimals as strings of all digits without an exponent, instants with an offset."""

import json
import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import exact

_AS_IT_IS: Final = frozenset((str, int, bool, type(None)))


def json_text(value: Any, encoding: str = "utf-8") -> str:
    """One JSON document, which the encoding can write: what it cannot is escaped."""
    text = json.dumps(json_values(value), ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(json_values(value))
    return text


def json_values(value: Any) -> Any:
    """JSON values only. Instants are ISO 8601 in UTC (one without an offset is UTC, as the store's are), durations
    seconds, dataclasses and mappings objects, other collections arrays. Raises TypeError for what has no form here."""
    kind = type(value)
    if kind in _AS_IT_IS:  # most of all values, of which there may be millions
        return value
    if kind is Decimal:
        return exact(value)
    if isinstance(value, Mapping):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, Set)):
        return [json_values(item) for item in (sorted(value) if isinstance(value, Set) else value)]
    if is_dataclass(value):
        return {field.name: json_values(getattr(value, field.name)) for field in fields(value)}
    return _single(value)


def _single(value: Any) -> str | int | float | None:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return exact(value)
        case datetime():
            return as_utc(value).isoformat().replace("+00:00", "Z")
        case timedelta():
            seconds = value / timedelta(seconds=1)
            return int(seconds) if seconds.is_integer() else seconds
        case date() | Path() | UUID():
            return str(value)
    raise TypeError(f"a {type(value).__name__} has no form in JSON")

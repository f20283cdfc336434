"""The one form of JSON that we show: decimals as strings of all digits without an exponent, instants with an offset."""

import json
import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import exact


def json_text(value: Any, encoding: str = "utf-8") -> str:
    """One JSON document of `json_values`, which the encoding can write: what it cannot is escaped."""
    text = _dumped(value, ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return _dumped(value, ensure_ascii=True)
    return text


def _dumped(value: Any, *, ensure_ascii: bool) -> str:
    try:
        # The encoder walks through what it knows, which is most of it: there may be a million values.
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False, default=_known_to_json)
    except (TypeError, ValueError):  # a key that is no text, a float that is no number
        return json.dumps(json_values(value), ensure_ascii=ensure_ascii)


@lru_cache(1024)  # many rows have the same
def instant_text(value: datetime) -> str:
    """Of an instant in UTC."""
    return value.isoformat().replace("+00:00", "Z")


def _known_to_json(value: Any) -> Any:
    """One step: what lies in it may be anything."""
    if type(value) is Decimal:
        return exact(value)
    if type(value) is datetime:
        return instant_text(as_utc(value))
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return _single(value)


def json_values(value: Any) -> Any:
    """JSON values only. Instants are ISO 8601 in UTC (one without an offset is UTC, as the store's are), durations
    seconds, dataclasses and mappings objects, other collections arrays. Raises TypeError for what has no form here."""
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
            return instant_text(as_utc(value))
        case timedelta():
            seconds = value / timedelta(seconds=1)
            return int(seconds) if seconds.is_integer() else seconds
        case date() | Path() | UUID():
            return str(value)
    raise TypeError(f"a {type(value).__name__} has no form in JSON")

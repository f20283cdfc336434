"""Which column of a log is which field of a usage event.

    delimiter: ";"                                  # CSV only, default ","
    fields:
      occurred_at: {column: ts, time: unix_ms}      # iso (default), unix_s, unix_ms, unix_us, or a strptime format
      usage.input_tokens: prompt_tokens             # short for {column: prompt_tokens}
      usage.output_tokens: {column: completion_ktok, multiply: 1000}
      provider: {column: vendor, map: {oai: openai, ant: anthropic}}
      attribution.team: {column: team, default: unknown}
      attribution.environment: {value: production}
      attribution.labels.tier: plan

In JSONL a column may be a dotted path into nested objects. A cell that is empty (or null) is absent, not zero. Times
without an offset are in `timezone` (default UTC). Without `usage.kind` the usage is of tokens.
"""

import difflib
import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spendstream_schemas import (
    DECIMAL_METERS,
    METERS,
    Attribution,
    ComputeUsage,
    Conditions,
    MeteredUsage,
    TokenUsage,
    ToolCalls,
    UsageEvent,
)
from spendstream_traffic.replay.rows import shown
from stream_jobs.base.documents import checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.base.yaml_files import Document, read_yaml

_NESTED: dict[str, tuple[type[BaseModel], ...]] = {
    "usage": (TokenUsage, ComputeUsage, MeteredUsage),
    "attribution": (Attribution,),
    "conditions": (Conditions,),
    "tool_calls": (ToolCalls,),
}
LABELS = "attribution.labels."
PATHS: frozenset[str] = frozenset(
    {name for name in UsageEvent.model_fields if name not in _NESTED and name != "schema_version"}
    | {f"{parent}.{name}" for parent, models in _NESTED.items() for model in models for name in model.model_fields}
) - {"attribution.labels"}
"""Every field of a usage event that a column can fill; labels are `attribution.labels.NAME`."""
WHOLE_PATHS: frozenset[str] = frozenset(
    {f"usage.{name}" for name in METERS if name not in DECIMAL_METERS}
    | {f"tool_calls.{name}" for name in ToolCalls.model_fields}
    | {"usage.accelerator_count", "revision"}
)
DECIMAL_PATHS: frozenset[str] = frozenset({f"usage.{name}" for name in DECIMAL_METERS})
NUMBER_PATHS: frozenset[str] = WHOLE_PATHS | DECIMAL_PATHS | {"latency_ms", "complexity"}
BOOL_PATHS: frozenset[str] = frozenset({"cached_response", "batchable", "conditions.fine_tuned"})

_UNIX_US = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}

Scalar = str | int | bool | Decimal


class FieldRule(BaseModel):
    """Where one field comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str | None = None
    value: Scalar | None = None  # the same for every row
    default: Scalar | None = None  # where the cell is empty
    map: dict[str, Scalar] | None = None  # cell text -> value; other texts stay as they are
    multiply: Annotated[Decimal, Field(gt=0, max_digits=30, allow_inf_nan=False)] | None = None
    time: str | None = None
    timezone: str = "UTC"

    @field_validator("map", mode="before")
    @classmethod
    def _keys_are_texts(cls, value: Any) -> Any:
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is not a time zone such as Europe/Berlin") from None
        return value

    @field_validator("time")
    @classmethod
    def _form_is_one(cls, value: str | None) -> str | None:
        if value is not None and value not in ("iso", *_UNIX_US):
            try:
                datetime.strptime("", value)  # noqa: DTZ007 - tells a form that is none from one that does not match
            except (ValueError, re.error) as error:
                if not str(error).startswith("time data"):
                    raise ValueError(
                        f"{value!r} is neither iso, {', '.join(_UNIX_US)} nor a strptime format: {error}"
                    ) from None
        return value

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either column or value")
        if self.value is not None and any(item is not None for item in (self.default, self.map, self.multiply)):
            raise ValueError("default, map and multiply go with column, not with value")
        return self


class Mapping(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    fields: dict[str, FieldRule]

    @field_validator("fields", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {path: {"column": rule} if isinstance(rule, str) else rule for path, rule in value.items()}

    @model_validator(mode="after")
    def _paths_exist(self) -> Self:
        problems = []
        for path, rule in self.fields.items():
            if path not in PATHS and not (path.startswith(LABELS) and len(path) > len(LABELS)):
                problems.append(f"{path!r} is no field of a usage event{_nearest(path)}")
            elif rule.multiply is not None and path not in NUMBER_PATHS:
                problems.append(f"{path}: multiply is for numbers")
            elif rule.time is not None and path != "occurred_at":
                problems.append(f"{path}: time is for occurred_at")
        if "occurred_at" not in self.fields:
            problems.append("occurred_at is missing: when did it happen?")
        if not any(path.startswith("usage.") for path in self.fields):
            problems.append("no usage field is given, for instance usage.input_tokens")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.column for rule in self.fields.values() if rule.column is not None))


def _nearest(path: str) -> str:
    close = difflib.get_close_matches(path, PATHS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def load_mapping(path: Path | None, pairs: Iterable[str] = ()) -> Mapping:
    """The mapping of a YAML file, with FIELD=COLUMN pairs on top. Raises ConfigError with every problem."""
    document = read_yaml(path) if path else Document("--map", {"fields": {}})
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("fields"), dict):
        raise ConfigError(
            f"{document.at(['fields'])}: expected a document with `fields:`, a field of the event on each line below it"
        )
    fields = dict(data["fields"])
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not equals or not name or not column:
            raise ConfigError(f"--map {pair}: expected FIELD=COLUMN, for instance usage.input_tokens=prompt_tokens")
        fields[name] = column
    return checked(document, Mapping, data={**data, "fields": fields})


def convert(path: str, rule: FieldRule, cell: Any) -> Any:
    """The cell as the value the contract expects at `path`, or None when it is absent.

    `cell` is text (CSV) or a JSON value with numbers as int or Decimal. Raises ValueError that says what is wrong.
    """
    if isinstance(cell, (dict, list)):
        raise ValueError(f"{path}: is {shown(cell)}, expected one value")
    if rule.value is not None:
        cell = rule.value
    elif rule.map is not None and str(cell) in rule.map:
        cell = rule.map[str(cell)]
    if isinstance(cell, str) and path != "occurred_at":
        cell = cell.strip()
    if cell is None or cell == "":
        cell = rule.default
        if cell is None:
            return None
    if path == "occurred_at":
        return _time(cell, rule)
    if path in NUMBER_PATHS:
        return _number(path, cell, rule.multiply)
    if path in BOOL_PATHS:
        return _truth(path, cell)
    return cell if isinstance(cell, str) else str(cell)


def _number(path: str, cell: Any, multiply: Decimal | None) -> int | Decimal:
    try:
        value = Decimal(cell) if isinstance(cell, (str, int, Decimal)) and not isinstance(cell, bool) else None
    except ArithmeticError:
        value = None
    if value is None or not value.is_finite():
        raise ValueError(f"{path}: is not a number: {str(cell)[:40]!r}")
    if value and not -40 <= value.adjusted() <= 40:
        raise ValueError(f"{path}: is out of range: {str(cell)[:40]!r}")
    if multiply is not None:
        value *= multiply
    if path not in WHOLE_PATHS:
        return value
    if value != value.to_integral_value():
        raise ValueError(f"{path}: must be a whole number: {value}")
    return int(value)


def _truth(path: str, cell: Any) -> bool:
    text = str(cell).strip().lower()
    if text in ("true", "1", "yes", "t", "y"):
        return True
    if text in ("false", "0", "no", "f", "n"):
        return False
    raise ValueError(f"{path}: is neither true nor false: {str(cell)[:40]!r}")


def _time(cell: Any, rule: FieldRule) -> datetime:
    text = str(cell).strip()
    form = rule.time or "iso"
    try:
        if form in _UNIX_US:
            number = _number("occurred_at", cell if not isinstance(cell, str) else text, None)
            return from_unix_micros(int(number * _UNIX_US[form]))
        value = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
    except (ValueError, OverflowError):
        raise ValueError(f"occurred_at: is not a time ({form}): {text[:40]!r}") from None
    return value.replace(tzinfo=ZoneInfo(rule.timezone)) if value.tzinfo is None else value

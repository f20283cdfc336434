"""What figures can be cut by and asked for: names and conditions that people write, checked before they reach SQL."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from pydantic import ValidationError

from spendstream_schemas.scope import LABEL, Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.series.measures import DIMENSIONS, is_dimension

OTHERS: Final = (
    "kind",
    "operation",
    "service_tier",
    "price_model",
    "purchase_option",
    "instance_type",
    "status",
    "sku",
)
"""Columns of the ledger that series do not watch."""
TIMES: Final = ("day", "month")
"""Of the time zone asked for."""
_MAX_LABEL: Final = 128


def dimension(name: str, *, times: bool = True) -> str:
    """The name, if figures can be cut by it. Raises ConfigError with the nearest names."""
    if name in OTHERS or (times and name in TIMES) or (is_dimension(name) and len(name) <= _MAX_LABEL + len(LABEL)):
        return name
    known = [*DIMENSIONS, *OTHERS, *(TIMES if times else ())]
    near = get_close_matches(name, [*known, "labels.NAME"], 3, 0.5)
    advice = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(known)}"
    raise ConfigError(f"{name[:80]!r} is no dimension: {advice}? A label is labels.NAME")


def scope(texts: Iterable[str]) -> Mapping[str, Condition]:
    """Of NAME=VALUE. A value with * or ? is a pattern, as in scopes; several of one name are any of them; an empty one
    is a missing value; JSON is a condition as scopes have it ({"none_of": ["a"]}, ["a*b"]). Raises ConfigError."""
    given: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--where {text[:80]!r}: write NAME=VALUE, such as team=search")
        given.setdefault(dimension(name, times=False), []).append(value)
    return {name: _condition(name, values) for name, values in given.items()}


def _condition(name: str, values: list[str]) -> Condition:
    only = values[0] if len(values) == 1 else None
    try:
        if only is None:
            return Condition.model_validate(values)
        if not only:
            return Condition(missing=True)
        if only[0] in "{[" and (said := _json(only)) is not None:
            return Condition.model_validate(said)
        return Condition.model_validate(only)
    except ValidationError as error:
        raise ConfigError(f"--where {name}: {error.errors()[0]['msg']}") from None


def _json(text: str) -> object | None:
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        return None

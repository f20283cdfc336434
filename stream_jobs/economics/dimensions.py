"""What figures can be cut by and asked for: names and conditions that people write, checked before they reach SQL."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Final

from spendstream_schemas.scope import LABEL, Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.series.conditions import conditions
from stream_jobs.series.measures import DIMENSIONS, is_dimension

OTHERS: Final = (
    "kind",
    "subcategory",
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
    """Of what stands after `--where`. Raises ConfigError."""
    return conditions(texts, "--where", partial(dimension, times=False))

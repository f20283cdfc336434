"""Who the current work is for, carried by contextvars: it follows asyncio tasks, and threads that copy the context."""

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from pydantic import ValidationError

from spendstream.stats import logger
from spendstream_schemas import ATTRIBUTION_FIELDS, Attribution

_CURRENT: ContextVar[Attribution] = ContextVar("spendstream_attribution", default=Attribution())  # noqa: B039 - frozen


def current_attribution() -> Attribution:
    """The attribution of the innermost `attribution` block; empty outside of any."""
    return _CURRENT.get()


@contextlib.contextmanager
def attribution(*, labels: dict[str, str] | None = None, **fields: str | None) -> Iterator[Attribution]:
    """Set attribution fields for the block. Blocks nest: inner ones add to and override outer ones; labels merge.

    A value that breaks the contract is left out and logged: attributing a call must not break it. An unknown field
    name is a programming error and raises TypeError.
    """
    merged = merge(current_attribution(), fields, labels)
    token = _CURRENT.set(merged)
    try:
        yield merged
    finally:
        # A generator may be closed in another context than it was started in; there is nothing to restore then.
        with contextlib.suppress(ValueError):
            _CURRENT.reset(token)


def merge(base: Attribution, fields: dict[str, str | None], labels: dict[str, str] | None = None) -> Attribution:
    """`base` with the fields and labels given (None: as it is). Invalid values are left out and logged."""
    check_fields(fields)
    values: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    if labels:
        values["labels"] = {**(base.labels or {}), **labels}
    if not values:
        return base
    known_values = base.model_dump(exclude_none=True)
    try:
        return Attribution(**{**known_values, **values})
    except ValidationError as error:
        bad = {str(item["loc"][0]) for item in error.errors(include_input=False)}
        logger.warning("spendstream: attribution left out because it breaks the contract: %s", ", ".join(sorted(bad)))
        return Attribution(**{**known_values, **{name: v for name, v in values.items() if name not in bad}})


def check_fields(fields: Iterable[str]) -> None:
    """Raises TypeError when one of the names is not an attribution field."""
    unknown = sorted(set(fields) - set(ATTRIBUTION_FIELDS))
    if unknown:
        known = ", ".join((*ATTRIBUTION_FIELDS, "labels"))
        raise TypeError(f"unknown attribution field(s) {', '.join(unknown)}; the fields are {known}")

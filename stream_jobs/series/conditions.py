"""Conditions that people type after a flag, NAME=VALUE: the same words wherever a command takes them.

VALUE is a text; with * or ? in it a pattern, as in the files of scopes; empty, a missing value; beginning with { a
condition as the files have it (YAML, so JSON too), beginning with [" a list of texts in JSON. Several of one name are
any of them.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.yaml_files import parse_yaml_bytes


def conditions(texts: Iterable[str], flag: str, name_of: Callable[[str], str] = str) -> dict[str, Condition]:
    """By name, in the order given. `name_of` says which names there are. Raises ConfigError with the flag."""
    given: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{flag} {text[:80]!r}: write NAME=VALUE, such as team=search")
        given.setdefault(name_of(name), []).append(value)
    return {name: _condition(values, f"{flag} {name[:80]}") for name, values in given.items()}


def _condition(values: list[str], where: str) -> Condition:
    if len(values) > 1 and any(not value or value.startswith("{") or _listed(value) for value in values):
        raise ConfigError(
            f"{where}: is given several times: then each is a text or a pattern, and any of them may hold"
        )
    try:
        return Condition.model_validate(values if len(values) > 1 else _said(values[0], where))
    except ValidationError as error:
        raise ConfigError(f"{where}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _said(value: str, where: str) -> Any:
    if not value:
        return {"missing": True}
    if value.startswith("{"):
        document = _json(value)
        # What YAML says of a key that stands there twice is clearer than what comes of it.
        return parse_yaml_bytes(value.encode(errors="surrogatepass"), where).data if document is None else document
    return _listed(value) or value


def _listed(value: str) -> list[Any] | None:
    """The texts of a list; a bracket that opens a pattern is not one."""
    document = _json(value) if value.startswith("[") else None
    return document if isinstance(document, list) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError
    return document

"""Validation that leaves out fields of a later version, also with a pydantic before 2.12, which has no word for it."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import VERSION, ValidationError

T = TypeVar("T")
_SAYS_IGNORE: Final = tuple(int(part) for part in VERSION.split(".")[:2]) >= (2, 12)


def without_unknown_fields(validate_json: Callable[..., T], raw: bytes) -> T:
    """`validate_json` of a model or adapter that forbids unknown fields. Raises ValidationError for everything else."""
    if _SAYS_IGNORE:
        return validate_json(raw, extra="ignore")
    try:
        return validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        if any(problem["type"] != "extra_forbidden" for problem in problems):
            raise
    document = json.loads(raw)
    for problem in problems:
        _remove(document, problem["loc"])
    return validate_json(json.dumps(document).encode())


def _remove(document: Any, path: tuple[int | str, ...]) -> None:
    """What is at the path, in which the names of union members stand too."""
    *parents, last = path
    for part in parents:
        if isinstance(part, int) or part in document:
            document = document[part]
    if isinstance(document, dict):
        document.pop(last, None)

"""What callers may give the guard, and the sentences for what they may not: TypeError for another kind of thing,
ValueError for what is out of bounds. Whatever passes here can be answered.

A budget must not be passed by because of a slip: `essential="no"` is true for Python, and a model in a list matches no
budget. So these are errors and not guesses.
"""

import math
from collections.abc import Iterable, Mapping
from threading import TIMEOUT_MAX
from typing import Any, Final

from spendstream.guard.records import TakenBack
from spendstream_schemas import Attribution
from spendstream_schemas.budget_feed import BudgetPolicy, BudgetState, Heartbeat

MAX_COUNT: Final = 10**12
"""Of tokens: as in the contract of events."""


def attribution_of(value: object) -> Attribution:
    """Raises TypeError."""
    if isinstance(value, Attribution):
        return value
    example = "spendstream.Attribution(team='search')"
    if isinstance(value, Mapping):
        example = "spendstream.Attribution(**fields)"
    raise TypeError(f"attribution must be an Attribution, for instance {example}, not {_kind(value)}")


def text_of(value: object, name: str) -> str | None:
    """A plain str of what is one (an enum's member, for instance), or None. Raises TypeError."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str or None, not {_kind(value)}")
    return str.__str__(value)


def flag_of(value: object, name: str) -> bool:
    """Raises TypeError: "no" and "false" are true for Python."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {_kind(value)}")
    return value


def count_of(value: object, name: str) -> int:
    """A number of tokens. Raises TypeError and ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {_kind(value)}")
    if not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{name} must be from 0 to {MAX_COUNT}")
    return value


def words_of(value: object, name: str) -> frozenset[str]:
    """Capabilities. Raises TypeError; a str would be taken for its letters."""
    if not isinstance(value, (set, frozenset)) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"{name} must be a set of str, for instance frozenset({{'tools'}}), not {_kind(value)}")
    return frozenset(value)


def seconds_of(value: object, name: str) -> float:
    """What can be waited for: at least 0, at most what the platform can. Raises TypeError and ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {_kind(value)}")
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{name} must be a number of seconds, not NaN")
    return float(min(max(value, 0), TIMEOUT_MAX))


def check_callable(value: object, name: str) -> None:
    """Raises TypeError."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function, not {_kind(value)}")


def check_records(records: Iterable[Any]) -> None:
    """Raises TypeError, before any of them is taken in."""
    for record in records:
        if isinstance(record, TakenBack):
            values = () if record.values is None else record.values
            if (
                isinstance(record.budget_id, str)
                and isinstance(values, tuple)
                and all(isinstance(value, str) for value in values)
            ):
                continue
        elif isinstance(record, (BudgetPolicy, BudgetState, Heartbeat)):
            continue
        raise TypeError(f"a record must be a BudgetPolicy, BudgetState, Heartbeat or TakenBack, not {_kind(record)}")


def _kind(value: object) -> str:
    return type(value).__name__

"""What the topic's messages say."""

import re
from typing import Final, NamedTuple

from spendstream_schemas.budget_feed import (
    BUDGET_RECORD,
    HEARTBEAT_KEY,
    BudgetPolicy,
    BudgetState,
    Heartbeat,
    record_key,
)
from spendstream_schemas.tolerant import without_unknown_fields
from spendstream_schemas.types import MAX_MESSAGE_BYTES

Record = BudgetPolicy | BudgetState | Heartbeat


class TakenBack(NamedTuple):
    """A message without a value: what its key said holds no more."""

    budget_id: str
    values: tuple[str, ...] | None  # of a state; None for a policy
    version: int = 1  # of the policy: another one of the same budget holds on


def decode(key: bytes | None, value: bytes | None) -> Record | TakenBack | None:
    """One message; None when it says nothing. Fields that a later version adds are left out.

    Raises ValueError when it is none of ours, or stands under a key that is not its own.
    """
    text = (key or b"").decode()
    if value is None:
        return _taken_back(text)
    if len(value) > MAX_MESSAGE_BYTES:
        raise ValueError(f"{len(value)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    record = without_unknown_fields(BUDGET_RECORD.validate_json, value)
    if record_key(record) != text:
        raise ValueError(f"a record of {record_key(record)!r} stands under the key {text!r}")
    return record


def _taken_back(key: str) -> TakenBack | None:
    if key == HEARTBEAT_KEY:
        return None  # whoever kept count has stopped: the heartbeats that do not come say so
    kind, _, rest = key.partition("/")
    budget_id, slash, values = rest.partition("/")
    if kind == "policy" and not slash:
        name, _, version = rest.partition("@")
        if not version:
            return TakenBack(name, None)
        if version.isdecimal():  # of one that we do not know there is nothing to take back
            return TakenBack(name, None, int(version))
    if kind == "state" and slash:
        return TakenBack(budget_id, parse_values(values))
    raise ValueError(f"{key!r} is not the key of a budget's record")


_LENGTH: Final = re.compile(r"([0-9]{1,3}):")


def parse_values(text: str) -> tuple[str, ...]:
    """The values in a `state_key`. Raises ValueError when that is none."""
    values: list[str] = []
    at = 0
    while at < len(text):
        found = _LENGTH.match(text, at)
        end = found.end() + int(found[1]) if found else len(text) + 1
        if found is None or end > len(text) or text[end : end + 1] not in ("", "/") or text[end:] == "/":
            raise ValueError(f"{text!r} are no values of a state's key")
        values.append(text[found.end() : end])
        at = end + 1
    return tuple(values)

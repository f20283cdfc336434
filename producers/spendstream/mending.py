"""Fields of a tracked call that break the contract: what the event says in their place.

A bad field costs itself alone. Where a price depends on it, leaving it out would choose another price, often a cheaper
one; so it says `UNREADABLE` there, which no price book knows: the event keeps its counts and is unpriced where its
price depends on the field.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from spendstream_schemas import Conditions, TokenUsage, UsageEvent, new_event_id
from spendstream_schemas.types import UNREADABLE

_NAMES: Final = frozenset({"provider", "model", "response_model", "service_tier", "region"})
_ANY_CONDITION: Final = "deployment"
"""Stands for conditions that cannot say `UNREADABLE` themselves: unknown ones and flags."""
_TEXT_CONDITIONS: Final = frozenset(Conditions.model_fields) - {"fine_tuned"}
KNOWN: Final = frozenset(UsageEvent.model_fields)

Place = tuple[int | str, ...]


def mended(fields: Mapping[str, Any], places: Iterable[Place]) -> dict[str, Any]:
    """The fields without those at `places` (`InvalidEventError.places`). What is not among them was good, or is not
    the caller's: then the same field of the response gives way."""
    found = dict(fields)
    for place in places:
        name = str(place[0]) if place else "model"  # what is wrong with the event as a whole: that no model is named
        if name in _NAMES:
            found[name] = UNREADABLE
        elif name == "conditions":
            found["conditions"] = _without(found.get("conditions"), place[1:])
        elif name == "usage":
            found["usage"] = TokenUsage(kind="tokens")
        elif name == "tool_calls":
            found["tool_calls"] = None
            found["conditions"] = _without(found.get("conditions"), ())
        elif name == "event_id":
            found["event_id"] = new_event_id()
        elif name == "attribution":
            found["attribution"] = None
        elif name in found:
            del found[name]
        else:
            found[name] = None
    return found


def _without(conditions: Any, place: Place) -> dict[str, Any]:
    kept = conditions.model_dump(exclude_none=True) if isinstance(conditions, Conditions) else conditions
    found = dict(kept) if isinstance(kept, Mapping) else {}
    name = str(place[0]) if place else _ANY_CONDITION
    found.pop(name, None)
    found[name if name in _TEXT_CONDITIONS else _ANY_CONDITION] = UNREADABLE
    return found

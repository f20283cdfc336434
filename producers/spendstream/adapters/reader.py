"""Reading provider responses without trusting them: SDK objects and plain dicts alike, snake_case and camelCase.

Every reader gives None for what is absent (or null, or an SDK's own "unset") and raises AdapterError with the path of
the field for what is there but cannot be what it should be.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from spendstream.adapters.result import AdapterError
from spendstream_schemas.types import MAX_COUNT

_SCALARS: Final = (str, bytes, bytearray, int, float, complex, bool)
_UNSET_TYPES: Final = frozenset({"Unset", "NotGiven", "Omit", "UnsetType"})
_MAX_ITEMS: Final = 10_000
_SECONDS_PLACES: Final = Decimal("0.000001")


class Node:
    """One object of a response and where it was found."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str) -> None:
        if value is None or isinstance(value, (*_SCALARS, Sequence)):
            raise AdapterError(f"{path}: expected an object with named fields, got {_describe(value)}")
        self.value = value
        self.path = path

    def raw(self, name: str) -> Any:
        """The field by its snake_case name or the camelCase form of it; None if it is absent."""
        found = self._field(name)
        return self._field(camel) if found is None and (camel := _camel(name)) != name else found

    def has(self, *names: str) -> bool:
        """Whether at least one of the fields is present."""
        return any(self.raw(name) is not None for name in names)

    def node(self, name: str) -> "Node | None":
        """A nested object."""
        value = self.raw(name)
        return None if value is None else Node(value, f"{self.path}.{name}")

    def nodes(self, name: str) -> list["Node"]:
        """A list of objects; absent is an empty list."""
        value = self.raw(name)
        if value is None:
            return []
        path = f"{self.path}.{name}"
        if isinstance(value, _SCALARS) or not isinstance(value, Sequence):
            raise AdapterError(f"{path}: expected a list, got {_describe(value)}")
        if len(value) > _MAX_ITEMS:
            raise AdapterError(f"{path}: expected at most {_MAX_ITEMS} items, got {len(value)}")
        return [Node(item, f"{path}[{index}]") for index, item in enumerate(value)]

    def count(self, name: str) -> int | None:
        """A whole number of things. A float is taken when it is whole (some SDKs declare counts as floats)."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise AdapterError(f"{self.path}.{name}: expected a whole number, got {_describe(value)}")
        if not 0 <= value <= MAX_COUNT:
            raise AdapterError(f"{self.path}.{name}: expected a count from 0 to {MAX_COUNT}, got {_describe(value)}")
        return value

    def seconds(self, name: str) -> Decimal | None:
        """A duration in seconds, exact to the microsecond."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, Decimal) and not value.is_finite():
            value = float("nan")  # which compares without raising
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise AdapterError(f"{self.path}.{name}: expected seconds as a number, got {_describe(value)}")
        if not 0 <= value <= MAX_COUNT:  # NaN fails this too
            raise AdapterError(f"{self.path}.{name}: expected seconds from 0 to {MAX_COUNT}, got {_describe(value)}")
        return Decimal(str(value)).quantize(_SECONDS_PLACES)

    def text(self, name: str, limit: int = 128) -> str | None:
        """A short printable text; the empty string counts as absent (some stream chunks carry it as a filler)."""
        value = self.raw(name)
        if isinstance(value, Enum):
            value = value.value
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise AdapterError(f"{self.path}.{name}: expected text, got {_describe(value)}")
        if len(value) > limit or not value.isprintable():
            raise AdapterError(
                f"{self.path}.{name}: expected at most {limit} printable characters, got {_describe(value)}"
            )
        return str(value)

    def _field(self, name: str) -> Any:
        try:
            if isinstance(self.value, Mapping):
                return _present(self.value.get(name))
            value = _present(getattr(self.value, name, None))
            return None if value is not None and _is_untouched_default(self.value, name, value) else value
        except Exception as error:  # noqa: BLE001 - a foreign object may raise anything from a property
            raise AdapterError(f"{self.path}.{name}: cannot be read: {type(error).__name__}: {error}"[:500]) from None


def _present(value: Any) -> Any:
    return None if type(value).__name__ in _UNSET_TYPES else value


def _is_untouched_default(owner: object, name: str, value: object) -> bool:
    """Whether an SDK's model invented the value: Mistral's fills token counts it did not receive with 0."""
    fields = getattr(type(owner), "model_fields", None)
    touched = getattr(owner, "model_fields_set", None)
    if not isinstance(fields, Mapping) or not isinstance(touched, (set, frozenset)):
        return False
    field = fields.get(name)
    return field is not None and name not in touched and getattr(field, "default", None) == value


@lru_cache(maxsize=512)
def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _describe(value: object) -> str:
    """The type and, where it is short and harmless, the value. Never the text of a prompt."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else f"a number of {value.bit_length()} bits"
    if isinstance(value, (str, bytes, bytearray)):
        return f"{type(value).__name__} of length {len(value)}"
    return type(value).__name__

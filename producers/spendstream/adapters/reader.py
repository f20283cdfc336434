"""Reading provider responses without trusting them: SDK objects and plain dicts alike, snake_case and camelCase.

Every reader gives None for what is absent (or null, or an SDK's own "unset") and raises AdapterError with the path of
the field for what is there but cannot be what it should be.
"""

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from spendstream.adapters.problems import AdapterError, left_out, problem
from spendstream_schemas.types import MAX_COUNT

_SCALARS: Final = (str, bytes, bytearray, int, float, complex, bool)
_UNSET_TYPES: Final = frozenset({"Unset", "NotGiven", "Omit", "UnsetType"})
_ARE_SET: Final = frozenset({str, int, float, list, dict, type(None)})
_NO_NAMES: Final[frozenset[str]] = frozenset()
_MAX_ITEMS: Final = 10_000
_NOT_TEXT: Final = "expected text of at most {} printable characters"
_SECONDS_PLACES: Final = Decimal("0.000001")


class Node:
    """One object of a response and where it was found."""

    __slots__ = ("_fields", "_nowhere", "_read", "_set", "path", "value")

    def __init__(self, value: object, path: str) -> None:
        kind: Any = type(value)
        read = _way_to_read(kind)
        if read is None:
            raise AdapterError(f"{path}: expected an object with named fields, got {_describe(value)}")
        self.value: Any = value
        self.path = path
        self._read = read
        self._fields: dict[str, Any] | None = None
        if read is _of_model:
            with contextlib.suppress(AttributeError):  # one that was made without its class's knowledge
                model: Any = value
                self._set: set[str] = model.__pydantic_fields_set__
                self._nowhere: Set[str] = _NO_NAMES if model.__pydantic_extra__ else _nowhere_else(kind)
                self._fields = model.__dict__

    def raw(self, name: str) -> Any:
        """The field by its snake_case name or the camelCase form of it; None if it is absent."""
        fields = self._fields
        if fields is not None:  # the same as below, for nearly every field of nearly every SDK
            found = fields.get(name)
            if found is None:
                if name in self._nowhere:
                    return None
            elif type(found) in _ARE_SET and name in self._set:
                return found
        try:
            found = self._read(self.value, name)
        except Exception as error:  # noqa: BLE001 - a foreign object may raise anything from a property
            problem(f"{self.path}.{name}: cannot be read: {type(error).__name__}: {error}"[:500])
            return None
        kind: Any = type(found)
        return found if kind in _ARE_SET or kind.__name__ not in _UNSET_TYPES else None

    def has(self, *names: str) -> bool:
        """Whether at least one of the fields is present."""
        for name in names:  # noqa: SIM110 - a generator takes longer than what it would do here
            if self.raw(name) is not None:
                return True
        return False

    @property
    def is_mapping(self) -> bool:
        return self._read is _of_mapping

    def only(self, names: Set[str]) -> bool:
        """Whether it has no other fields than these, under no other names; False also where that cannot be told."""
        kind: Any = type(self.value)
        if self._fields is not None:
            return self._fields.keys() <= names and not self.value.__pydantic_extra__ and _only_fields(kind)
        return kind is dict and self.value.keys() <= names

    def node(self, name: str) -> "Node | None":
        """A nested object."""
        value = self.raw(name)
        return None if value is None else node_of(value, f"{self.path}.{name}")

    def nodes(self, name: str) -> list["Node"]:
        """A list of objects; absent is an empty list."""
        value = self.raw(name)
        if value is None:
            return []
        path = f"{self.path}.{name}"
        if isinstance(value, _SCALARS) or not isinstance(value, Sequence):
            problem(f"{path}: expected a list, got {_describe(value)}")
            return []
        if len(value) > _MAX_ITEMS:
            problem(f"{path}: expected at most {_MAX_ITEMS} items, got {len(value)}")
            return []
        found = (node_of(item, f"{path}[{index}]") for index, item in enumerate(value))
        return [node for node in found if node is not None]

    def count(self, name: str) -> int | None:
        """A whole number of things. A float is taken when it is whole (some SDKs declare counts as floats)."""
        value = self.raw(name)
        if value is None:
            return None
        if type(value) is not int:
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, bool) or not isinstance(value, int):
                problem(f"{self.path}.{name}: expected a whole number, got {_describe(value)}")
                return None
        if not 0 <= value <= MAX_COUNT:
            problem(f"{self.path}.{name}: expected a count from 0 to {MAX_COUNT}, got {_describe(value)}")
            return None
        return value

    def seconds(self, name: str) -> Decimal | None:
        """A duration in seconds, exact to the microsecond."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, Decimal) and not value.is_finite():
            value = float("nan")  # which compares without raising
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            problem(f"{self.path}.{name}: expected seconds as a number, got {_describe(value)}")
            return None
        if not 0 <= value <= MAX_COUNT:  # NaN fails this too
            problem(f"{self.path}.{name}: expected seconds from 0 to {MAX_COUNT}, got {_describe(value)}")
            return None
        return Decimal(str(value)).quantize(_SECONDS_PLACES)

    def text(self, name: str, limit: int = 128) -> str | None:
        """A short printable text; the empty string counts as absent (some stream chunks carry it as a filler)."""
        value = self.raw(name)
        if value is None or (type(value) is str and len(value) <= limit and value.isprintable()):
            return value or None
        found = _plain(value, limit)
        if found is None:
            problem(f"{self.path}.{name}: {_NOT_TEXT.format(limit)}, got {_describe(value)}")
        return found or None

    def name(self, name: str, limit: int = 128, unreadable: str | None = None) -> str | None:
        """As `text`, but what cannot be a name gives way to `unreadable`: a name must not cost the counts.

        Give `UNREADABLE` where a price depends on the name.
        """
        value = self.raw(name)
        if value is None or (type(value) is str and len(value) <= limit and value.isprintable()):
            return value or None
        found = _plain(value, limit)
        if found is None:
            left_out(f"{self.path}.{name}: {_NOT_TEXT.format(limit)}, got {_describe(value)}")
            return unreadable
        return found or None


def hidden(value: object, name: str) -> Any:
    """An attribute that is no field of a response; None where there is none, or it raises."""
    try:
        if not isinstance(value, BaseModel):
            return getattr(value, name, None)
        # Without pydantic's `__getattr__`.
        private = value.__pydantic_private__
        if private and name in private:
            return private[name]
        if name in value.__dict__:
            return value.__dict__[name]
        kind: Any = type(value)
        return getattr(value, name, None) if value.__pydantic_extra__ or _has(kind, name) else None
    except Exception:  # noqa: BLE001 - a foreign object
        return None


def names_of(value: object) -> tuple[str, ...]:
    """The fields that an object of named counts has; what comes from an SDK may have more than its class declares."""
    if isinstance(value, BaseModel):
        return (*value.model_fields_set, *(value.__pydantic_extra__ or ()))
    found = value if isinstance(value, Mapping) else getattr(value, "__dict__", ())
    return tuple([name for name in found if isinstance(name, str)])


def _plain(value: object, limit: int) -> str | None:
    """The text, also as a member of an enumeration; None for what is none."""
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return ""
    return str(value) if isinstance(value, str) and len(value) <= limit and value.isprintable() else None


def node_of(value: object, path: str) -> Node | None:
    """A `Node`; where as much is read as can be, None for what is none."""
    try:
        return Node(value, path)
    except AdapterError as error:
        problem(str(error))
        return None


@lru_cache(maxsize=1024)
def _way_to_read(kind: Any) -> Callable[[Any, str], Any] | None:
    """How a field of such an object is read; None for what has no named fields. Asked once for each type: a response
    has a hundred places to look at, and each chunk of a stream a dozen."""
    if kind is object or issubclass(kind, (type(None), *_SCALARS, Sequence)):
        return None
    if issubclass(kind, Mapping):
        return _of_mapping
    return _of_model if issubclass(kind, BaseModel) else _of_object


def _of_mapping(value: Mapping[str, Any], name: str) -> Any:
    found = value.get(name)
    return value.get(_camel(name)) if found is None and "_" in name else found


def _of_object(value: object, name: str) -> Any:
    found = getattr(value, name, None)
    return getattr(value, _camel(name), None) if found is None and "_" in name else found


def _of_model(value: BaseModel, name: str) -> Any:
    """Without pydantic's `__getattr__`, which is slow to say that there is no such field."""
    found = value.__dict__.get(name)
    if found is None:
        extra = value.__pydantic_extra__
        if extra and (found := _of_mapping(extra, name)) is not None:
            return found
        kind: Any = type(value)
        other = _other_name(kind, name)
        if other is not None:
            return getattr(value, other, None)
        _nowhere_else(kind).add(name)
        return None
    if name not in value.__pydantic_fields_set__ and _is_default(type(value), name, found):
        return None  # the SDK's model invented the value: Mistral's fills token counts it did not receive with 0
    return found


@lru_cache(maxsize=1024)
def _nowhere_else(kind: Any) -> set[str]:  # noqa: ARG001 - one set for each class
    """Names that were looked for in models of this class, and that only their fields can have."""
    return set()


@lru_cache(maxsize=1024)
def _only_fields(kind: Any) -> bool:
    """Whether all that can be read from such a model are its fields: its class has methods, but no properties."""
    more = set(dir(kind)).difference(dir(BaseModel), kind.model_fields)
    return all(name.startswith("_") or inspect.isroutine(inspect.getattr_static(kind, name)) for name in more)


@lru_cache(maxsize=1024)
def _has(kind: Any, name: str) -> bool:
    return hasattr(kind, name)


@lru_cache(maxsize=4096)
def _other_name(kind: Any, name: str) -> str | None:
    """Under which a model of this class may still have it: a property, or a name in camel case."""
    if hasattr(kind, name):  # fields of a model are no attributes of its class
        return name
    camel = _camel(name)
    return camel if camel != name and (camel in kind.model_fields or hasattr(kind, camel)) else None


def _is_default(kind: type[BaseModel], name: str, value: object) -> bool:
    field = kind.model_fields.get(name)
    return field is not None and bool(field.default == value)


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

"""Messages decoded against a compiled copy of the contract: ten times as fast as the contract's own models.

The structs are derived from the pydantic models, field by field. They accept less than the models do (token usage
only, no fractional meters, UTC timestamps as text) and nothing that the models refuse, except for what `checks` and
`instants` look at afterwards. Whoever gets None asks the models: they accept, or say why not.
"""

import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types
import msgspec
from pydantic.fields import FieldInfo

from spendstream_schemas import MAX_MESSAGE_BYTES, TokenUsage, UsageEvent
from spendstream_schemas.attribution import Attribution
from spendstream_schemas.event import Conditions, ToolCalls
from spendstream_schemas.types import Message, StatedUsd, Timestamp
from spendstream_schemas.usage import Usage

_PLAIN_TYPES: Final = (str, int, float, bool)
_DEL: Final = b"\x7f"
_BOUNDS: Final[dict[type, tuple[str, str]]] = {
    annotated_types.MinLen: ("min_length", "min_length"),
    annotated_types.MaxLen: ("max_length", "max_length"),
    annotated_types.Ge: ("ge", "ge"),
    annotated_types.Le: ("le", "le"),
}


class UnsupportedFieldError(TypeError):
    """A type of the contract that the structs leave to the models."""


def _bounded(base: Any, metadata: Sequence[Any]) -> Any:
    bounds: dict[str, Any] = {}
    for item in metadata:
        for constraint in item.metadata if isinstance(item, FieldInfo) else [item]:
            if (known := _BOUNDS.get(type(constraint))) is not None:
                bounds[known[0]] = getattr(constraint, known[1])
    return Annotated[base, msgspec.Meta(**bounds)] if bounds else base


def _struct_type(hint: Any) -> Any:
    """The type of a field for msgspec. Raises UnsupportedFieldError where it would not mean the same."""
    if hint == Timestamp:
        return str  # `instants` reads it
    if hint == Usage:
        return token_usage
    if hint == (StatedUsd | None):
        return msgspec.Raw  # `events` asks the model of this one field
    if isinstance(hint, type) and issubclass(hint, Message):
        return _NESTED[hint]
    return _annotated_type(hint)


def _annotated_type(hint: Any) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *metadata = get_args(hint)
        if base in _PLAIN_TYPES:
            return _bounded(base, metadata)
        if get_origin(base) is dict:
            key, value = get_args(base)
            return _bounded(dict[_struct_type(key), _struct_type(value)], metadata)  # type: ignore[misc]
    elif origin in (Union, types.UnionType):
        given = [_struct_type(part) for part in get_args(hint) if part is not type(None)]
        if len(given) == 1:
            return given[0] | None if isinstance(given[0], type) else Union[given[0], None]  # noqa: UP007
    elif origin is Literal:
        return hint
    raise UnsupportedFieldError(hint)


def _derive(model: type[Message]) -> type[msgspec.Struct]:
    """A struct with the model's fields in their order; those it cannot express are unknown to it."""
    fields: list[Any] = []
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        try:
            kind = _struct_type(hints[name])
        except UnsupportedFieldError:
            if field.is_required():
                raise
            continue
        default = None if field.default is None or isinstance(field.default, Message) else field.default
        fields.append((name, kind) if field.is_required() else (name, kind, default))
    return msgspec.defstruct(model.__name__, fields, kw_only=True, forbid_unknown_fields=True, gc=False, frozen=True)


token_usage: Final = _derive(TokenUsage)
_NESTED: Final = {Attribution: _derive(Attribution), Conditions: _derive(Conditions), ToolCalls: _derive(ToolCalls)}
usage_event: Final = _derive(UsageEvent)
NO_ATTRIBUTION: Final[Any] = _NESTED[Attribution]()

USAGE_FIELDS: Final = token_usage.__struct_fields__
EVENT_FIELDS: Final = usage_event.__struct_fields__
ATTRIBUTION_NAMES: Final = _NESTED[Attribution].__struct_fields__

_REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode: Final[Callable[[bytes], Any]] = msgspec.json.Decoder(usage_event).decode


def decode(raw: bytes | None) -> Any:
    """The event as a struct, or None: then the contract's models decide.

    The models demand printable texts. A message without escapes that is printable as a whole holds no others.
    """
    if not raw or len(raw) > MAX_MESSAGE_BYTES or b"\\" in raw:
        return None
    try:
        if _DEL in raw if raw.isascii() else not raw.decode().isprintable():
            return None
        return _decode(raw)
    except _REFUSED:
        return None


def decode_some(messages: Sequence[bytes | None]) -> list[Any]:
    """`decode` of each. What it looks for in the bytes is looked for in all of them at once: mostly it is in none."""
    whole = b"".join(filter(None, messages))
    longest = max(map(len, filter(None, messages)), default=0)
    if longest > MAX_MESSAGE_BYTES or b"\\" in whole or _DEL in whole or not whole.isascii():
        return list(map(decode, messages))
    decoded: list[Any] = []
    for raw in messages:
        try:
            decoded.append(_decode(raw or b""))
        except _REFUSED:
            decoded.append(None)
    return decoded

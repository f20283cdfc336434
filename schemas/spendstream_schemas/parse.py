"""Bytes in, a valid message or one reason code out. The consumer's side of the contract."""

import json
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from spendstream_schemas.event import UsageEvent
from spendstream_schemas.outcome import OutcomeEvent
from spendstream_schemas.reasons import InvalidReason
from spendstream_schemas.tolerant import without_unknown_fields
from spendstream_schemas.types import MAX_MESSAGE_BYTES, MAX_STATED_USD, Message, exact_number

M = TypeVar("M", bound=Message)

_REASONS: Final[dict[str, InvalidReason]] = {
    "json_invalid": InvalidReason.NOT_JSON,
    "model_type": InvalidReason.WRONG_TYPE,
    "model_attributes_type": InvalidReason.WRONG_TYPE,
    "extra_forbidden": InvalidReason.UNKNOWN_FIELD,
    "missing": InvalidReason.MISSING_FIELD,
    "union_tag_invalid": InvalidReason.UNKNOWN_USAGE_KIND,
    "union_tag_not_found": InvalidReason.UNKNOWN_USAGE_KIND,
    "literal_error": InvalidReason.NOT_ALLOWED,
    "enum": InvalidReason.NOT_ALLOWED,
    "string_too_short": InvalidReason.EMPTY_VALUE,
    "string_too_long": InvalidReason.TOO_LONG,
    "too_long": InvalidReason.TOO_LONG,
    "greater_than_equal": InvalidReason.NEGATIVE_QUANTITY,
    "less_than_equal": InvalidReason.OUT_OF_RANGE,
    "decimal_max_digits": InvalidReason.OUT_OF_RANGE,
    "decimal_max_places": InvalidReason.OUT_OF_RANGE,
    "decimal_whole_digits": InvalidReason.OUT_OF_RANGE,
    "finite_number": InvalidReason.OUT_OF_RANGE,
    "timezone_aware": InvalidReason.NAIVE_TIMESTAMP,
}
MAX_UNKNOWN_FIELDS: Final = 32
MAX_PATH_LENGTH: Final = 256
"""Names come from the message and may be as long as it: what is reported about it stays short."""
_PRICE_RELEVANT: Final = ("usage.", "conditions.", "tool_calls.")
_OWN_TYPES: Final = frozenset(reason.value for reason in InvalidReason)
_TIMESTAMP_ERRORS: Final = ("datetime", "date_", "time_")
# When several things are wrong, the one that explains the others is reported first.
_PRECEDENCE: Final = {
    reason: rank
    for rank, reason in enumerate(
        (
            InvalidReason.NOT_JSON,
            InvalidReason.NOT_AN_OBJECT,
            InvalidReason.UNSUPPORTED_SCHEMA_VERSION,
            InvalidReason.UNKNOWN_USAGE_KIND,
            InvalidReason.MISSING_FIELD,
        )
    )
}


class _Number(str):
    """The text of a number."""

    __slots__ = ()


class InvalidMessageError(ValueError):
    """A message that breaks the contract: ``reason`` for machines, ``detail`` for people, ``path`` to the field."""

    def __init__(self, reason: InvalidReason, detail: str, path: str = "") -> None:
        super().__init__(f"{reason.value}: {path + ': ' if path else ''}{detail}")
        self.reason = reason
        self.detail = detail
        self.path = path


@dataclass(frozen=True, slots=True)
class Parsed(Generic[M]):
    """A valid message, and the paths of the fields that this version does not know (empty in the common case)."""

    message: M
    unknown_fields: tuple[str, ...] = ()


def parse(model: type[M], raw: bytes | None) -> Parsed[M]:
    """Parse one message as a consumer does: unknown fields are tolerated and named.

    Raises InvalidMessageError for everything else that breaks the contract.
    """
    if not raw:
        raise InvalidMessageError(InvalidReason.EMPTY_MESSAGE, "the message has no value")
    if len(raw) > MAX_MESSAGE_BYTES:
        raise InvalidMessageError(InvalidReason.TOO_LARGE, f"{len(raw)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    try:
        return Parsed(model.model_validate_json(raw))
    except ValidationError as error:
        unknown = unknown_fields(error)
        if unknown is None:
            raise invalid_message(error) from None
    try:
        return Parsed(without_unknown_fields(model.model_validate_json, raw), unknown)
    except ValidationError as error:
        raise invalid_message(error) from None


def parse_usage_event(raw: bytes | None) -> Parsed[UsageEvent]:
    """`parse` for the topic of usage events."""
    parsed = parse(UsageEvent, raw)
    return parsed if parsed.message.stated_cost_usd is None else _exactly_stated(parsed, raw or b"")


def _exactly_stated(parsed: Parsed[UsageEvent], raw: bytes) -> Parsed[UsageEvent]:
    """With a stated cost that is a number as it was written: the models have read it as a double."""
    said = json.loads(raw.decode(), parse_float=_Number, parse_int=_Number)["stated_cost_usd"]
    exact = exact_number(said) if isinstance(said, _Number) else None
    if exact is None or exact == parsed.message.stated_cost_usd:
        return parsed
    if exact > MAX_STATED_USD:
        raise InvalidMessageError(InvalidReason.OUT_OF_RANGE, f"is more than {MAX_STATED_USD}", "stated_cost_usd")
    return Parsed(parsed.message.model_copy(update={"stated_cost_usd": exact}), parsed.unknown_fields)


def parse_outcome_event(raw: bytes | None) -> Parsed[OutcomeEvent]:
    """`parse` for the topic of outcomes."""
    return parse(OutcomeEvent, raw)


def unknown_fields(error: ValidationError) -> tuple[str, ...] | None:
    """Paths of the unknown fields if they are all that is wrong, else None.

    At most MAX_UNKNOWN_FIELDS, those first that could move the price: no number of harmless ones may hide them.
    """
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if any(item["type"] != "extra_forbidden" for item in errors):
        return None
    paths = [_path(item["loc"]) for item in errors]
    paths.sort(key=lambda path: not path.startswith(_PRICE_RELEVANT))
    return tuple(paths[:MAX_UNKNOWN_FIELDS])


def invalid_message(error: ValidationError) -> InvalidMessageError:
    """The one reason that stands for a pydantic error, in the contract's terms."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        path = _path(item["loc"])
        found.append((_reason(item["type"], path, item.get("ctx")), item["msg"], path))
    # Unknown fields are tolerated by consumers, so they explain a refusal only when nothing else does.
    found.sort(key=lambda row: (row[0] is InvalidReason.UNKNOWN_FIELD, _PRECEDENCE.get(row[0], len(_PRECEDENCE))))
    return InvalidMessageError(*found[0])


def _reason(error_type: str, path: str, context: dict[str, Any] | None) -> InvalidReason:
    if path == "schema_version" and error_type != "missing":
        return InvalidReason.UNSUPPORTED_SCHEMA_VERSION
    if path == "" and error_type == "model_type":
        return InvalidReason.NOT_AN_OBJECT
    if error_type == "greater_than_equal" and context and context.get("ge") not in (0, None):
        return InvalidReason.OUT_OF_RANGE
    if error_type in _REASONS:
        return _REASONS[error_type]
    if error_type.startswith(_TIMESTAMP_ERRORS):
        return InvalidReason.BAD_TIMESTAMP
    # What our own validators raise carries the reason code as its type.
    return InvalidReason(error_type) if error_type in _OWN_TYPES else InvalidReason.WRONG_TYPE


def _path(loc: tuple[int | str, ...]) -> str:
    """'usage.input_tokens' from pydantic's ('usage', 'tokens', 'input_tokens')."""
    parts = [str(part) for part in loc]
    if len(parts) > 1 and parts[0] == "usage" and parts[1] in ("tokens", "compute", "metered"):
        del parts[1]
    return ".".join(parts)[:MAX_PATH_LENGTH]

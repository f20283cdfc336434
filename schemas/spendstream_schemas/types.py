"""The bounds and building blocks every message is made of."""

import math
import os
import re
import time
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from spendstream_schemas.reasons import InvalidReason

MAX_MESSAGE_BYTES: Final = 64 * 1024
UNREADABLE: Final = "unreadable"
"""What a name says that a price depends on and that could not be read: no price book knows it, so it is unpriced."""
MAX_COUNT: Final = 10**12
"""Bound of one counted meter of one event (tokens, calls). Above it the producer is broken, not busy."""
MAX_QUANTITY: Final = Decimal(10) ** 15
MAX_STATED_USD: Final = 10**6
"""Of what a provider says that one event cost. Above it the producer is broken."""
MAX_USD: Final = 10**20
"""Of one amount of money in a feed, either way. A hundred thousand of them still fit together into the store's
Decimal(38, 12)."""
DECIMAL_PLACES: Final = 12
_RESOLUTION: Final = Decimal(1).scaleb(-DECIMAL_PLACES)
_EXACT: Final = Context(prec=60)
_NUMBER: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_PLAIN_NUMBER: Final = re.compile(_NUMBER + r"|[+-]?(?i:nan|inf(?:inity)?)").fullmatch
EARLIEST_OCCURRED_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)
INSTANTS: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, tzinfo=UTC))
"""What an instant of a feed lies between: within what the store's columns hold, with room to compute in."""


def refuse(reason: InvalidReason, message: str) -> PydanticCustomError:
    """A validation error that carries its reason code as pydantic's error type."""
    return PydanticCustomError(reason.value, "{message}", {"message": message})


def _no_control_characters(value: str) -> str:
    if not value.isprintable():
        raise refuse(InvalidReason.EMPTY_VALUE, "must not hold control or unprintable characters")
    return value


def _utc(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:  # in UTC it would lie before year 1 or after year 9999
        raise refuse(InvalidReason.BAD_TIMESTAMP, "is not an instant between the years 1 and 9999 in UTC") from None
    if value < EARLIEST_OCCURRED_AT:
        raise refuse(InvalidReason.OCCURRED_TOO_EARLY, f"is before {EARLIEST_OCCURRED_AT:%Y-%m-%d}")
    return value


def _timestamp_is_text(value: Any) -> Any:
    """Numbers are refused, also as text: seconds, milliseconds and microseconds since 1970 cannot be told apart."""
    if not isinstance(value, (str, datetime)) or (isinstance(value, str) and value[4:5] != "-"):
        raise refuse(InvalidReason.BAD_TIMESTAMP, "must be an ISO 8601 string with a UTC offset")
    return value


def _instant(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        value = datetime.min.replace(tzinfo=UTC)
    first, last = INSTANTS
    if not first <= value <= last:
        raise refuse(InvalidReason.BAD_TIMESTAMP, f"must lie between {first:%Y-%m-%d} and {last:%Y-%m-%d} in UTC")
    return value


def canonical(value: Decimal) -> Decimal:
    """The same amount in the form that a column holds: at most DECIMAL_PLACES places, no exponent, no negative zero.

    A zero may come with any exponent ("0e27", "0e-9999"): written out it would be wider than every column.
    """
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # neither NaN nor infinite: refused before
    if not value:
        return Decimal(0).scaleb(max(-DECIMAL_PLACES, min(0, exponent)))
    if exponent > 0:
        return value.quantize(Decimal(1), context=_EXACT)
    return value if exponent >= -DECIMAL_PLACES else value.quantize(_RESOLUTION, context=_EXACT)


def number_is_plain(value: Any) -> Any:
    """Decimal('1_0'), Decimal(' 1 ') and Decimal in other scripts' digits are Python's idea of a number, not JSON's."""
    if isinstance(value, str) and not _PLAIN_NUMBER(value):
        raise refuse(InvalidReason.WRONG_TYPE, "must be a number, or a string that holds nothing but a number")
    return value


def exact_input(value: Any) -> Any:
    """Of what people write in files: a float has lost digits already, and True is a number only to Python."""
    if isinstance(value, (float, bool)):
        raise ValueError(f"must be a number or a text that holds one, not {value!r}")
    return number_is_plain(value)


def number_as_written(value: Any) -> Any:
    """The shortest digits that mean a double: those that were written, unless somebody wrote more than a double holds
    (then `parse` looks at the text itself)."""
    return Decimal(repr(value)) if isinstance(value, float) and math.isfinite(value) else number_is_plain(value)


def exact_number(text: str) -> Decimal | None:
    """A number of JSON that is a valid amount: as it was written, then as `canonical`. None for an absurd exponent."""
    try:
        return canonical(Decimal(text))
    except (ArithmeticError, ValueError):
        return None


def decimal_schema(minimum: int, maximum: int = int(MAX_QUANTITY)) -> WithJsonSchema:
    """How JSON Schema says it: a JSON number, or a string that holds one."""
    bounds = {"minimum": minimum, "maximum": maximum}
    return WithJsonSchema({"anyOf": [{"type": "number"} | bounds, {"type": "string", "pattern": f"^{_NUMBER}$"}]})


PLAIN: Final = PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json")
"""Amounts in JSON: every digit, and no exponent, which a Decimal of zero would have."""
_PRINTABLE = AfterValidator(_no_control_characters)

Text64 = Annotated[str, Field(strict=True, min_length=1, max_length=64), _PRINTABLE]
Text128 = Annotated[str, Field(strict=True, min_length=1, max_length=128), _PRINTABLE]
Text256 = Annotated[str, Field(strict=True, min_length=1, max_length=256), _PRINTABLE]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
Quantity = Annotated[
    Decimal,
    Field(ge=0, le=MAX_QUANTITY, max_digits=27, decimal_places=12, allow_inf_nan=False),
    BeforeValidator(number_is_plain),
    AfterValidator(canonical),
    decimal_schema(minimum=0),
]
"""A non-negative amount with at most 12 decimal places, as a JSON number or (for exactness) a string."""
MAX_DURATION_S: Final = 31 * 86_400
Duration = Annotated[
    Decimal,
    Field(ge=0, le=MAX_DURATION_S, max_digits=19, decimal_places=12, allow_inf_nan=False),
    BeforeValidator(number_is_plain),
    AfterValidator(canonical),
    decimal_schema(minimum=0, maximum=MAX_DURATION_S),
]
"""How long something ran, in seconds: at most 31 days, or a whole month of an hourly report."""
Usd = Annotated[
    Decimal,
    Field(ge=-MAX_USD, le=MAX_USD, max_digits=33, decimal_places=DECIMAL_PLACES, allow_inf_nan=False),
    BeforeValidator(number_is_plain),
    AfterValidator(canonical),
    decimal_schema(minimum=-MAX_USD, maximum=MAX_USD),
    PLAIN,
]
"""An amount of money in a feed between our own jobs and the services, to the last digit."""
StatedUsd = Annotated[
    Decimal,
    Field(ge=0, le=MAX_STATED_USD, allow_inf_nan=False),
    BeforeValidator(number_as_written),
    AfterValidator(canonical),
    decimal_schema(minimum=0, maximum=MAX_STATED_USD),
    PLAIN,
]
"""What a provider says a call cost, in USD. More than 12 decimal places are rounded half to even, not refused:
providers add up doubles, and say 0.30000000000000004."""
Timestamp = Annotated[AwareDatetime, BeforeValidator(_timestamp_is_text), AfterValidator(_utc)]
"""An instant: given with any UTC offset, kept in UTC with microseconds."""
Instant = Annotated[AwareDatetime, BeforeValidator(_timestamp_is_text), AfterValidator(_instant)]
"""The same in the feeds, where an instant need not be of an event."""
Labels = Annotated[dict[Text64, Annotated[str, Field(strict=True, max_length=256), _PRINTABLE]], Field(max_length=32)]


class Message(BaseModel):
    """Base of all messages: immutable, unknown fields refused unless the reader says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False, ser_json_inf_nan="null")


_RANDOM_BYTES: Final = 8
_random: Final[list[bytes]] = []
"""Random bytes for the next ids. Asking the operating system for each lets other threads run, in the middle of a
service's request. A child has none of its parent's; where nobody told Python of the fork, its process id tells them
apart."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.clear)


def new_event_id() -> str:
    """A UUIDv7 (RFC 9562, 6.2 method 3): unique, and sortable by the 244 nanoseconds it was made in."""
    try:
        random = _random.pop()
    except IndexError:
        more = os.urandom(64 * _RANDOM_BYTES)
        _random.extend([more[at : at + _RANDOM_BYTES] for at in range(_RANDOM_BYTES, len(more), _RANDOM_BYTES)])
        random = more[:_RANDOM_BYTES]
    ms, ns = divmod(time.time_ns(), 1_000_000)
    high = ms << 16 | 0x7000 | ns * 4096 // 1_000_000
    low = (int.from_bytes(random, "big") ^ os.getpid()) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

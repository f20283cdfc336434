"""The form of `events.yaml`: what is planned or known beforehand, whom it concerns, when, and what it moves or adds."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from spendstream_schemas.scope import Scope
from spendstream_schemas.types import Text64, Text128, Text256, decimal_schema, exact_input
from stream_jobs.base.instants import time_zone

FILE_NAME: Final = "events.yaml"
SCHEMA_FILE_NAME: Final = "events.schema.json"
MAX_EVENTS: Final = 2_000
MAX_FACTOR: Final = 1_000
MAX_USD: Final = 10**9
MAX_LENGTH: Final = timedelta(days=366)
YEARS: Final = range(2000, 2200)
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,4}[mhd]")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _zone(name: str) -> str:
    time_zone(name)
    return name


def _moment(value: Any) -> Any:
    """A date or a time as YAML has it, or as text. What bears no UTC offset is in the event's zone."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("2026-12-01") else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value[:80]!r} is not a date (2026-12-01) or a time (2026-12-01T09:00)") from None
    if not isinstance(value, date):
        raise ValueError("is not a date (2026-12-01) or a time (2026-12-01T09:00)")
    if value.year not in YEARS:
        raise ValueError(f"{value} is not in the years {YEARS.start} to {YEARS.stop - 1}")
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def _clock(value: Any) -> Any:
    """02:30. YAML reads 2:30 as a number, which is refused before it comes here."""
    if isinstance(value, str) and _CLOCK.fullmatch(value):
        return value
    raise ValueError('must be a time of day between quotes, such as "02:30"')


def _length(value: Any) -> Any:
    if not isinstance(value, str) or not _LENGTH.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is no length: write a whole number and m, h or d, such as 90m, 4h or 2d")
    if length_of(value) > MAX_LENGTH:
        raise ValueError(f"must be at most {MAX_LENGTH.days}d")
    return value


def _weekdays(value: Any) -> Any:
    """A list, or one of them, in any case."""
    days = [value] if isinstance(value, str) else value
    if not isinstance(days, (list, tuple)):
        raise ValueError("must be a list of days, such as [monday, friday]")
    for day in days:
        if not isinstance(day, str) or day.lower() not in WEEKDAYS:
            raise ValueError(f"{str(day)[:80]!r} is no day of the week: write {', '.join(WEEKDAYS)}")
    return tuple(day.lower() for day in days)


def _factor(value: Any) -> Any:
    """In the words of whoever writes it: the validator's own are about digits."""
    if value is None:
        raise ValueError("is empty: write a number, such as 3 for three times, or leave the line out")
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return value  # refused by what comes next
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{str(value)[:80]!r} must be a number: 3 for three times, 0 for none at all") from None
    if not number.is_finite() or not 0 <= number <= MAX_FACTOR:
        raise ValueError(
            f"{str(value)[:80]} must be between 0 and {MAX_FACTOR:,}: 3 is three times the usual, 0 none at all"
        )
    return value


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("is empty: write what is meant, or leave the line out")
    return value


def _scope(value: Any) -> Any:
    """YAML reads no, yes, on and off as truth values."""
    for name, given in value.items() if isinstance(value, dict) else ():
        if given is None or isinstance(given, (bool, int, Decimal, date)):
            read = "nothing" if given is None else f"a {type(given).__name__}"
            raise ValueError(
                f"{str(name)[:80]}: YAML reads the value as {read}: put quotes around what is meant as a text"
            )
    return value


def _events(value: Any) -> Any:
    """A list; nothing at all is an empty one, as where all are commented out."""
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list: each event begins with '- id: ...'")
    return value


def length_of(text: str) -> timedelta:
    """30m, 4h or 2d as a duration; a day is 24 hours here."""
    unit = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[text[-1]]
    return int(text[:-1]) * unit


EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_zone)]
Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=date | datetime | str)]
Factor = Annotated[
    Decimal,
    Field(ge=0, le=MAX_FACTOR, max_digits=12, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(exact_input),
    BeforeValidator(_factor),
    decimal_schema(minimum=0, maximum=MAX_FACTOR),
]
Usd = Annotated[
    Decimal,
    Field(gt=0, le=MAX_USD, max_digits=18, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(exact_input),
    decimal_schema(minimum=0, maximum=MAX_USD),
]
Given = BeforeValidator(_given)
"""Of what may be left out: whoever writes the line and nothing behind it has not said that there is none."""
Length = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[mhd]$"), BeforeValidator(_length)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Every(_Part):
    """When it comes again and again: on these days, from a time of day on, for so long."""

    at: Annotated[str, BeforeValidator(_clock, json_schema_input_type=str)] = Field(
        default="00:00",
        description='The time of day at which it begins, in the event\'s zone: "02:30". Only where nothing but '
        "adds_usd is expected it may be left out: then it is the beginning of the day.",
    )
    lasts: Annotated[Length | None, Given] = Field(
        default=None,
        description="How long: 30m, 4h, 2d. Only where nothing but adds_usd is expected it may be left out: then all "
        "of it comes at once.",
    )
    weekdays: Annotated[
        tuple[Weekday, ...],
        Field(max_length=7),
        BeforeValidator(_weekdays, json_schema_input_type=tuple[Weekday, ...]),
    ] = Field(default=(), description="On these days of the week; without them and without days, on every day.")
    days: Annotated[tuple[Annotated[int, Field(strict=True, ge=1, le=31)], ...], Field(max_length=31)] = Field(
        default=(), description="On these days of the month; with weekdays, on days that are both."
    )

    @property
    def clock(self) -> time:
        return time.fromisoformat(self.at)

    def begins_on(self, day: date) -> bool:
        """Whether one begins on this local date."""
        weekday = not self.weekdays or WEEKDAYS[day.weekday()] in self.weekdays
        return weekday and (not self.days or day.day in self.days)


class PlannedEvent(_Part):
    """Something that people know of beforehand: a launch, a migration, maintenance, the end of a month."""

    id: EventId = Field(description="What tables and messages call it; keep it when the rest changes.")
    name: Text128 = Field(description="What it is.")
    scope: Annotated[Scope, BeforeValidator(_scope, json_schema_input_type=Scope)] = Field(
        default_factory=dict, description="Whom it concerns, as in budgets.yaml: {team: search}. Empty: everything."
    )
    from_: Annotated[Moment | None, Given] = Field(
        default=None, alias="from", description="When it begins: a date or a time, in its zone unless it says another."
    )
    to: Annotated[Moment | None, Given] = Field(
        default=None,
        description="When it is over. A date: at its beginning. Without it a factor holds from then on for good, and "
        "adds_usd comes at once.",
    )
    every: Annotated[Every | None, Given] = Field(
        default=None, description="It comes again and again, between from and to if given."
    )
    factor: Factor = Field(
        default=Decimal(1),
        description="What usage is expected to be, as a multiple of the usual: 3 for three times, 0 for none at all. "
        "All that lies between the usual and that is told to nobody; what goes beyond it is.",
    )
    up_to_usd: Annotated[Usd | None, Given] = Field(
        default=None,
        description="What may be spent beyond the usual while it lasts, in USD, beside or instead of a factor: of what "
        "is new there is no usual to multiply.",
    )
    adds_usd: Annotated[Usd | None, Given] = Field(
        default=None,
        description="What is paid once, or each time it comes again, beside what usage costs, in USD: a purchase, a "
        "subscription. Forecasts add it and learn no rate from it; so much more is told to nobody. With to or lasts it "
        "is spread over that time.",
    )
    timezone: Annotated[Zone | None, Given] = Field(default=None, description="If not the file's.")
    owner: Text64 | None = Field(default=None, description="Who knows of it.")
    note: Text256 | None = Field(default=None, description="Shown beside what it silences.")

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.every is None and self.from_ is None:
            raise ValueError("needs from, or every")
        moves = "factor" in self.model_fields_set
        if self.up_to_usd is None and self.adds_usd is None and not moves:
            raise ValueError(
                "needs a factor, such as 3 for three times the usual, up_to_usd for what is new, or adds_usd for what "
                "is bought"
            )
        if self.every is None and self.to is None and self.up_to_usd is not None:
            raise ValueError("up_to_usd needs to: what is new has a usual after some days")
        if self.every is not None and (moves or self.up_to_usd is not None):
            absent = [name for name in ("at", "lasts") if name not in self.every.model_fields_set]
            if absent:
                raise ValueError(f"every: needs {' and '.join(absent)}: only adds_usd can come at once")
        if self.from_ is not None and self.to is not None:
            zone = ZoneInfo(self.timezone or "UTC")  # of two that bear no offset the zone does not matter
            if not in_utc(self.from_, zone) < in_utc(self.to, zone):
                raise ValueError(f"from {self.from_} is not before to {self.to}")
        return self

    @property
    def lasting(self) -> bool:
        """Whether it begins and is never over: usage stays at its factor of what it was before."""
        return self.every is None and self.to is None and self.factor != 1

    @property
    def allowed_usd(self) -> Decimal:
        """What may be spent beyond the usual each time, whatever its factor."""
        return (self.up_to_usd or Decimal(0)) + (self.adds_usd or Decimal(0))


def is_skipped(moment: datetime, zone: tzinfo) -> bool:
    """Whether this local time does not exist there: clocks are put forward over it."""
    if moment.tzinfo is not None:
        return False
    return in_utc(moment, zone).astimezone(zone).replace(tzinfo=None) != moment


def in_utc(moment: datetime, zone: tzinfo) -> datetime:
    """A moment that bears no offset is in this zone. A local time that is skipped or comes twice in the night of a
    change of clocks is the first that it can be."""
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)


class EventsDocument(_Part):
    """What is planned or known beforehand. See stream_jobs/planned/README.md."""

    timezone: Zone = Field(default="UTC", description="IANA name of the zone of dates and times without an offset.")
    events: Annotated[
        tuple[PlannedEvent, ...],
        Field(max_length=MAX_EVENTS),
        BeforeValidator(_events, json_schema_input_type=tuple[PlannedEvent, ...]),
    ] = Field(default=(), description="Launches, migrations, maintenance, purchases.")

    model_config = ConfigDict(title="spendstream planned events")

    @model_validator(mode="before")
    @classmethod
    def _has_keys(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            raise ValueError("needs a line 'events:' first, and the list of events below it")
        if isinstance(value, dict):
            strange = [str(name) for name in value if name not in cls.model_fields]
            for name in strange:
                if near := get_close_matches(name, cls.model_fields, 1):
                    raise ValueError(f"there is no {name[:80]!r}: did you mean {near[0]!r}?")
        return value

"""The form of `alerts.yaml`: who can be told, who is told of what, how often, and what happens when nobody reacts."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from spendstream_schemas.alert_feed import AlertKind, Severity
from spendstream_schemas.scope import Scope
from spendstream_schemas.types import Flag, Text64, Text128
from stream_jobs.alerts.receivers import Receiver
from stream_jobs.base.documents import checked
from stream_jobs.base.files import is_there
from stream_jobs.base.yaml_files import read_yaml

FILE_NAME: Final = "alerts.yaml"
SCHEMA_FILE_NAME: Final = "alerts.schema.json"
_DURATION: Final = r"(?:[0-9]{1,6}d)?(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,6}s)?"
_PARTS: Final = re.compile(r"(\d+)([dhms])")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def parse_duration(text: str) -> timedelta:
    """'90s', '15m', '2h', '1h30m', '7d'. Raises ValueError."""
    if not text or re.fullmatch(_DURATION, text) is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 2h, 1h30m or 7d")
    duration = timedelta(**{_UNITS[unit]: int(number) for number, unit in _PARTS.findall(text)})
    if not duration:
        raise ValueError("must be longer than nothing")
    return duration


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a duration such as 90s, 15m, 2h, 1h30m or 7d")
    return parse_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$", "minLength": 2}),
]
Names = Annotated[tuple[Text64, ...], Field(min_length=1, max_length=16)]
Percent = Annotated[Decimal, Field(ge=0, le=1000, max_digits=30, allow_inf_nan=False)]
Usd = Annotated[Decimal, Field(gt=0, max_digits=38, decimal_places=12, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Route(_Part):
    """Which alerts go to which receivers. All conditions that are given must hold."""

    name: Text128 | None = Field(None, description="Says in words what the route is for.")
    at_least: Severity = Field("info", description="Only alerts of this severity or a graver one.")
    kinds: tuple[AlertKind, ...] = Field((), description="Only these kinds; none: all of them.")
    scope: Scope = Field(default_factory=dict, description="Conditions on the alert's labels, such as team: search.")
    owners: Annotated[tuple[Text128, ...], Field(max_length=1000)] = Field(
        (), description="Only alerts of these owners."
    )
    to: Names = Field(description="Names of receivers.")
    go_on: Flag = Field(
        False,
        alias="continue",
        description="true: the routes after this one are asked too; false: the first that fits.",
    )


class Grouping(_Part):
    """How alerts become notifications."""

    group_wait_s: Annotated[float, Field(ge=0, le=300)] = Field(
        default=0.3,
        description="Seconds a new group waits for others that belong to it. It is a part of the way to the phone.",
    )
    group_interval_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60.0, description="Least seconds between two updates of a group, unless it gets graver or is over."
    )
    max_new_groups_per_minute: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=20, description="Of one kind. What comes above it is told as one group of that kind."
    )


class MoneyRule(_Part):
    """Money at stake makes an alert grave."""

    at_least_usd: Usd = Field(description="Money at stake, in USD.")
    severity: Severity = Field(description="The alert has at least this severity then.")


class UnacknowledgedRule(_Part):
    """Nobody reacts: tell others too."""

    after: Duration = Field(
        description="How long an alert is open and nobody looks after it: 15m, 2h. Silenced time does not count."
    )
    at_least: Severity = Field("error", description="Only alerts of this severity or a graver one.")
    to: Names = Field(description="Names of receivers that are told then, beside those that were.")


class Escalation(_Part):
    """When more people hear of an alert, or it becomes graver."""

    money: tuple[MoneyRule, ...] = Field(default=(), max_length=20, description="By what is at stake.")
    unacknowledged: tuple[UnacknowledgedRule, ...] = Field(
        default=(), max_length=20, description="By how long nobody has looked after it."
    )


class AlertsDocument(_Part):
    """Who is told of what. See stream_jobs/alerts/README.md."""

    receivers: tuple[Receiver, ...] = Field(default=(), max_length=200, description="Who can be told.")
    routes: tuple[Route, ...] = Field(
        default=(), max_length=2000, description="From first to last; the first that fits decides."
    )
    default: Annotated[tuple[Text64, ...], Field(max_length=16)] = Field(
        default=(), description="Receivers of alerts that no route fits."
    )
    grouping: Grouping = Field(default=Grouping(), description="Which alerts are told together, and when.")
    repeat_every: Duration | None = Field(
        default=None, description="Tell again while something is open and nobody looks after it. None: once is enough."
    )
    escalation: Escalation = Field(default=Escalation(), description="When more people hear of an alert.")
    amend_percent: Percent = Field(
        default=Decimal(20),
        description="Tell again when an alert's figure has moved by so many percent since it was told.",
    )

    model_config = ConfigDict(title="spendstream alerts")

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        problems = [f"receivers: {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
        used = [(f"routes[{number}]", route.to) for number, route in enumerate(self.routes)]
        used += [("default", self.default)]
        used += [
            (f"escalation.unacknowledged[{number}]", rule.to)
            for number, rule in enumerate(self.escalation.unacknowledged)
        ]
        known = ", ".join(names) or "none"
        problems += [
            f"{where}: there is no receiver {name!r}; there are {known}"
            for where, to in used
            for name in to
            if name not in names
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


NOBODY: Final = AlertsDocument()
"""Without an alerts.yaml: everything is kept and listed, nobody is told."""


def read_document(path: Path) -> AlertsDocument:
    """The checked document. Raises ConfigError with every problem, each with file and line."""
    return checked(read_yaml(path), AlertsDocument)


def load_document(config_dir: Path | None) -> AlertsDocument:
    """Of the config folder's alerts.yaml; NOBODY without one. Raises ConfigError."""
    if config_dir is None or not is_there(config_dir / FILE_NAME):
        return NOBODY
    return read_document(config_dir / FILE_NAME)

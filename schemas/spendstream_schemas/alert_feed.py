"""The records of `alerts.v1`: what the jobs find, and what people say to it.

A signal is a condition, not an event: the same `alert_id` with the same facts may be sent any number of times, and the
alerts job makes one alert of it. So whoever finds something sends it again after a restart, and nothing is lost or
told twice.
"""

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from spendstream_schemas.scope import Scope
from spendstream_schemas.types import Instant, Message, Text64, Text128, Usd

AlertKind = Literal["budget", "forecast", "anomaly", "data_quality"]
ALERT_KINDS: Final[tuple[AlertKind, ...]] = ("budget", "forecast", "anomaly", "data_quality")
Severity = Literal["info", "warning", "error", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error", "critical")
"""From the mildest to the gravest; PagerDuty's words."""
AlertId = Annotated[str, Field(strict=True, min_length=1, max_length=255)]
Sentence = Annotated[str, Field(strict=True, min_length=1, max_length=1000)]
MAX_LEVEL: Final = 2**31 - 1


class Fact(Message):
    """One line of an alert: a name and what is to be read beside it."""

    name: Text64
    text: Annotated[str, Field(max_length=1000)]


class AlertSignal(Message):
    """A condition that holds, or no longer holds. Key: its alert_id."""

    type: Literal["signal"] = "signal"
    schema_version: Literal[1] = 1
    alert_id: AlertId  # the condition's identity: budget, values and period; series and window; check and subject
    kind: AlertKind
    name: Text64  # of the rule, in CamelCase: BudgetThreshold, BudgetForecast, UnpricedUsage, ...
    status: Literal["firing", "resolved"]
    severity: Severity
    level: Annotated[int, Field(ge=0, le=MAX_LEVEL)] = 0  # rises when it gets worse, and then people are told again
    observed_at: Instant  # a signal that is older than what is known changes nothing
    starts_at: Instant  # since when the condition holds
    group: AlertId  # alerts of one group are told together
    labels: Annotated[dict[Text128, Annotated[str, Field(max_length=256)]], Field(max_length=32)] = Field(
        default_factory=dict
    )  # by SCOPE_FIELDS where they say who it is about; routes and silences look at them
    owner: Text128 | None = None
    channels: Annotated[tuple[Text64, ...], Field(max_length=16)] = ()  # receivers to use beside those of the routes
    summary: Annotated[str, Field(strict=True, min_length=1, max_length=300)]  # what and where, in one line
    facts: Annotated[tuple[Fact, ...], Field(max_length=24)] = ()  # how much, since when, until when
    causes: Annotated[tuple[Sentence, ...], Field(max_length=8)] = ()  # why, probably: what contributes most
    action: Sentence | None = None  # what to do
    link: Annotated[str, Field(max_length=1000, pattern=r"^https?://")] | None = None
    money_usd: Usd = Decimal(0)  # at stake: what is or will be spent too much
    value: Usd | None = None  # the figure that the condition is about, such as the spend
    correction: bool = False  # facts that people were told have changed afterwards: tell them
    resolution: Sentence | None = None  # why it no longer holds


class AlertAck(Message):
    """Somebody looks after it. Key: the alert_id."""

    type: Literal["ack"] = "ack"
    schema_version: Literal[1] = 1
    request_id: Text128  # of the command, which looks for it in the history
    alert_id: AlertId
    by: Text128
    note: Annotated[str, Field(max_length=1000)] = ""
    at: Instant


class Silence(Message):
    """Alerts that it holds for are kept, but told to nobody until it ends. Key: its id."""

    type: Literal["silence"] = "silence"
    schema_version: Literal[1] = 1
    silence_id: Text128
    scope: Scope = Field(default_factory=dict)  # over the alerts' labels
    kinds: Annotated[tuple[AlertKind, ...], Field(max_length=len(ALERT_KINDS))] = ()  # none: all of them
    alert_id: AlertId | None = None  # only this one
    starts_at: Instant
    ends_at: Instant  # at once: the silence is lifted
    by: Text128
    note: Annotated[str, Field(max_length=1000)] = ""


AlertRecord = Annotated[AlertSignal | AlertAck | Silence, Field(discriminator="type")]
ALERT_RECORD: Final[TypeAdapter[AlertSignal | AlertAck | Silence]] = TypeAdapter(AlertRecord)


def alert_record_key(record: AlertSignal | AlertAck | Silence) -> str:
    return record.silence_id if isinstance(record, Silence) else record.alert_id

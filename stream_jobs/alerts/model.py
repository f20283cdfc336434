"""The vocabulary of the alerts job. Imports nothing of Faust, Kafka or ClickHouse's client."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

import msgspec

from spendstream_schemas.alert_feed import SEVERITIES, AlertKind, AlertSignal, Severity

Status = Literal["open", "acknowledged", "resolved"]
TransitionKind = Literal[
    "opened",
    "reopened",
    "escalated",
    "amended",
    "acknowledged",
    "resolved",
    "silenced",
    "unsilenced",
    "ack_refused",
]
RANK: Final[Mapping[Severity, int]] = {severity: rank for rank, severity in enumerate(SEVERITIES)}
"""Higher is graver."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it stands. A new one is made for every change, so that whoever holds one holds a state.

    What the signal says beside what is needed all the time stays packed: a storm keeps 100,000 of these.
    `position` numbers all changes of all alerts; of two states of one alert, the one with the higher number is later.
    """

    alert_id: str
    kind: AlertKind
    group: str  # that it is told in; the signal's own, or the overflow of its kind
    episode: int  # rises each time it fires after it was over; 0: was never seen firing
    status: Status
    severity: Severity  # the signal's, raised by the rules
    level: int
    observed_at: datetime
    starts_at: datetime
    opened_at: datetime  # when this episode came to our notice
    open_since: datetime  # since when nobody looks after it: opened, or worse again after somebody did; later by as
    # long as it was silenced, when nobody was to
    updated_at: datetime
    money_usd: Decimal
    noted_value: Decimal | None = None  # the figure as people know it
    position: int = 0  # of the last change
    noted_position: int = 0  # of the last change that people should hear of
    acknowledged_by: str | None = None
    ack_requests: tuple[str, ...] = ()  # the last ones, which may come again
    silenced_by: str | None = None
    silenced_since: datetime | None = None
    also: tuple[str, ...] = ()  # receivers that were called in because nobody looked after it
    receivers: tuple[str, ...] = ()
    resolved_at: datetime | None = None
    signal: msgspec.Raw = msgspec.Raw(b"")  # AlertSignal as JSON

    @property
    def active(self) -> bool:
        return self.status != "resolved"

    @property
    def to_notify(self) -> tuple[str, ...]:
        """Who is to hear of it as things stand."""
        return () if self.silenced_by else self.receivers

    def unpacked(self) -> AlertSignal:
        return AlertSignal.model_validate_json(bytes(self.signal))


class Transition(NamedTuple):
    """What happened to an alert: a row of the history. `alert` is the state after it (None: no such alert)."""

    kind: TransitionKind
    at: datetime
    position: int
    alert_id: str
    alert: Alert | None
    before: Alert | None
    signal: AlertSignal | None = None  # that made it, where one did
    by: str = ""
    note: str = ""
    request_id: str = ""


ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
DECODER: Final = msgspec.json.Decoder(Alert)


def packed(alert: Alert) -> str:
    """The alert document of the history."""
    return ENCODER.encode(alert).decode()


def unpacked(document: str) -> Alert:
    """The inverse of `packed`."""
    alert = DECODER.decode(document)
    # A Raw is a view of the whole document, which it would keep in memory.
    return msgspec.structs.replace(alert, signal=alert.signal.copy())

"""What a receiver is told: the vocabulary between the alerts job and the notifiers. Imports nothing of either."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from spendstream_schemas.alert_feed import AlertKind, Fact, Severity
from stream_jobs.base.errors import SpendstreamError

NotificationAction = Literal["trigger", "update", "acknowledge", "resolve"]
"""`trigger`: the group is new to the receiver; `update`: it got worse, grew or was corrected; `acknowledge`: somebody
looks after all of it; `resolve`: nothing of it holds any more."""
LISTED_BY_COMMAND = 50
"""As many `spendstream alerts list` shows without being told otherwise."""
MAX_LISTED = 10
"""Alerts of a group that a notification spells out; the others are counted."""


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert as it stands."""

    alert_id: str
    kind: AlertKind
    name: str
    status: Literal["open", "acknowledged", "resolved"]
    severity: Severity
    summary: str
    starts_at: datetime
    updated_at: datetime
    money_usd: Decimal  # at stake
    level: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    causes: tuple[str, ...] = ()
    action: str | None = None  # what to do
    link: str | None = None
    owner: str | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """One group of alerts, in one state, for one receiver."""

    key: str  # the same for every attempt to tell this receiver this state: what makes a repetition harmless
    group_id: str  # at most 255 characters; the same from the group's first alert until all of it is resolved
    revision: int  # rises with every state of the group
    action: NotificationAction
    severity: Severity  # the gravest of what is open; of what was, when all is resolved
    change: str  # what is new since the receiver was last told, in a few words: "100 % crossed", "12 more", ...
    alerts: tuple[AlertView, ...]  # at most MAX_LISTED, the gravest and dearest first
    open_alerts: int  # of the whole group
    resolved_alerts: int  # of the whole group
    money_usd: Decimal  # at stake in the whole group
    started_at: datetime
    updated_at: datetime
    labels: dict[str, str] = field(default_factory=dict)  # those that all alerts of the group share
    link: str | None = None
    test: bool = False  # sent by `spendstream alerts test`


class DeliveryError(SpendstreamError):
    """A receiver did not take a notification. `retry` is False when sending the same again cannot help, for it is what
    was sent that is not taken; a wrong key or address may be mended at the receiver. The message names no secret."""

    def __init__(self, message: str, *, retry: bool = True, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry = retry
        self.retry_after_s = retry_after_s  # what the receiver asked for


class Notifier(Protocol):
    """One receiver's protocol. Used from one event loop."""

    async def send(self, notification: Notification) -> str:
        """Tell the receiver; returns what it answered, in a few words ("202 dedup_key=..."). Raises DeliveryError."""

    async def close(self) -> None:
        """Give back connections."""

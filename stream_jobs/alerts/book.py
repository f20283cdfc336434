"""All alerts and silences of the job: turns records and the passing of time into changes. Given its inputs and their
instants it always does the same; it has no clock and does no I/O.

What was never changed since it was resolved long ago is not held: `unknown` says what to look up before a fold.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from spendstream_schemas.alert_feed import AlertAck, AlertKind, AlertSignal, Silence
from stream_jobs.alerts import lifecycle
from stream_jobs.alerts.lifecycle import Moment
from stream_jobs.alerts.model import Alert, Transition
from stream_jobs.alerts.routing import Routing
from stream_jobs.alerts.silences import Silences

KEPT_RESOLVED: Final = 5_000
KEPT_REFUSED: Final = 5_000
OVERFLOW: Final = "spendstream-overflow:"
_MICROSECOND: Final = timedelta(microseconds=1)
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A record of alerts.v1. `raw` is a signal's JSON, in one form for one content."""

    record: AlertSignal | AlertAck | Silence
    raw: bytes = b""


@dataclass(slots=True)
class Folded:
    """What is to be recorded of one fold."""

    transitions: list[Transition] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    too_many: list[Silence] = field(default_factory=list)  # not taken up: there are as many as there may be

    def __bool__(self) -> bool:
        return bool(self.transitions or self.silences)


class AlertBook:
    """Not safe for use by several threads."""

    def __init__(
        self,
        routing: Routing,
        alerts: Iterable[Alert] = (),
        silences: Iterable[Silence] = (),
        position: int = 0,
        refused: Iterable[str] = (),
    ) -> None:
        """`position`: no change has a higher number yet. `refused`: acknowledgements that may come again."""
        self.routing = routing
        self.position = position
        self.alerts: dict[str, Alert] = {}
        self._silences = Silences(silences)
        self._look_again = True
        self._groups: dict[str, int] = {}  # active alerts by group
        self._resolved: deque[str] = deque()
        self._begun: dict[AlertKind, deque[datetime]] = {}  # when new groups began, within a minute
        self._refused = dict.fromkeys(refused)
        for alert in alerts:
            self._put(alert)

    def unknown(self, records: Iterable[Parsed]) -> set[str]:
        """The alerts that the records are about and that are not held."""
        ids = {item.record.alert_id for item in records if not isinstance(item.record, Silence)}
        return ids - self.alerts.keys()

    def admit(self, alerts: Iterable[Alert]) -> None:
        """Hold what was looked up."""
        for alert in alerts:
            self._put(alert)

    def fold(self, records: Sequence[Parsed], at: datetime) -> Folded:
        """Take records in, in their order, except that a silence holds for all of them. `at` is when that happens, and
        what silences are compared with."""
        folded = Folded()
        # Silences first: they are looked through once, however the records alternate.
        for item in records:
            if isinstance(item.record, Silence):
                held = self._silences.hold(item.record, at)
                if held == "news":
                    folded.silences.append(item.record)
                elif held == "too_many":
                    folded.too_many.append(item.record)
        look_again = self._look_again or self._silences.due(at)
        for item in records:
            if isinstance(item.record, AlertSignal):
                self._signal(item.record, item.raw, at, folded)
            elif isinstance(item.record, AlertAck):
                self._acknowledge(item.record, at, folded)
        if look_again:
            self._apply_silences(at, folded)
        self._forget()
        return folded

    def tick(self, at: datetime) -> Folded:
        """What the time brings: silences begin and end, and others are called in where nobody reacts."""
        folded = Folded()
        if self._look_again or self._silences.due(at):
            self._apply_silences(at, folded)
        if self.routing.document.escalation.unacknowledged:
            for alert in list(self.alerts.values()):
                if alert.status == "open" and (names := self.routing.called_in(alert, at)):
                    self._record(lifecycle.called_in(alert, names, self._moment(at)), folded)
        self._forget()
        return folded

    def use(self, routing: Routing, at: datetime) -> Folded:
        """Other rules from now on, for the alerts that are there too."""
        self.routing = routing
        folded = Folded()
        for alert in list(self.alerts.values()):
            if alert.active:
                after, transition = lifecycle.reassessed(alert, self._moment(at))
                self.alerts[alert.alert_id] = after
                self._record(transition, folded)
        return folded

    def _signal(self, signal: AlertSignal, raw: bytes, at: datetime, folded: Folded) -> None:
        alert = self.alerts.get(signal.alert_id)
        if alert is not None and lifecycle.corrects_what_is_over(alert, signal):
            # What people were told last is not so. They hear of it in an episode of its own, which is over at once.
            again = signal.model_copy(update={"status": "firing", "observed_at": signal.observed_at - _MICROSECOND})
            self._signal(again, again.model_dump_json(exclude_defaults=True).encode(), at, folded)
            alert = self.alerts.get(signal.alert_id)
        group = alert.group if alert is not None and alert.active else self._group(signal, at)
        silence = self._silences.of(signal, at) if self._silences else None
        after, transition = lifecycle.signalled(alert, signal, raw, group, silence, self._moment(at))
        if transition is not None:
            self._record(transition, folded)
            if transition.alert is not None and transition.alert.active and (alert is None or not alert.active):
                self._begin(signal, transition.alert.group, at)
        elif after is not None:
            self.alerts[signal.alert_id] = after

    def _acknowledge(self, ack: AlertAck, at: datetime, folded: Folded) -> None:
        if ack.request_id in self._refused:
            return  # whoever asked was told so, and may not find it accepted later
        transition = lifecycle.acknowledged(self.alerts.get(ack.alert_id), ack, self._moment(at))
        if transition is not None and transition.kind == "ack_refused":
            self._refused[ack.request_id] = None
            if len(self._refused) > KEPT_REFUSED:
                del self._refused[next(iter(self._refused))]
        self._record(transition, folded)

    def _group(self, signal: AlertSignal, at: datetime) -> str:
        """The signal's own group, unless that is a new one and too many of its kind are new."""
        if signal.group in self._groups:
            return signal.group
        begun = self._begun.setdefault(signal.kind, deque())
        while begun and at - begun[0] >= MINUTE:
            begun.popleft()
        return signal.group if len(begun) < self.routing.max_new_groups_per_minute else OVERFLOW + signal.kind

    def _begin(self, signal: AlertSignal, group: str, at: datetime) -> None:
        if group == signal.group and self._groups.get(group) == 1:
            self._begun.setdefault(signal.kind, deque()).append(at)

    def _moment(self, at: datetime) -> Moment:
        return Moment(at, self.position + 1, self.routing)

    def _record(self, transition: Transition | None, folded: Folded) -> None:
        if transition is None:
            return
        self.position = transition.position
        folded.transitions.append(transition)
        if transition.alert is not None and transition.kind != "ack_refused":
            self._put(transition.alert)

    def _put(self, alert: Alert) -> None:
        before = self.alerts.get(alert.alert_id)
        self.alerts[alert.alert_id] = alert
        if before is not None and before.active:
            self._count(before.group, -1)
        if alert.active:
            self._count(alert.group, 1)
        elif before is None or before.active:
            self._resolved.append(alert.alert_id)

    def _count(self, group: str, number: int) -> None:
        left = self._groups.get(group, 0) + number
        if left:
            self._groups[group] = left
        else:
            del self._groups[group]

    def _forget(self) -> None:
        while len(self._resolved) > KEPT_RESOLVED:
            alert_id = self._resolved.popleft()
            alert = self.alerts.get(alert_id)
            if alert is not None and not alert.active:
                del self.alerts[alert_id]

    def _apply_silences(self, at: datetime, folded: Folded) -> None:
        for alert in list(self.alerts.values()):
            if not alert.active or not (self._silences or alert.silenced_by):
                continue
            silence = self._silences.of(alert.unpacked(), at) if self._silences else None
            if (silence is None) != (alert.silenced_by is None):
                self._record(lifecycle.silenced(alert, silence, self._moment(at)), folded)
            elif silence != alert.silenced_by:
                self.alerts[alert.alert_id] = msgspec.structs.replace(alert, silenced_by=silence)
        self._look_again = False

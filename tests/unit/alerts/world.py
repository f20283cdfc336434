"""The alerts job without Kafka, ClickHouse and receivers: book, outbox, the rows they leave, and a clock to turn."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence
from stream_jobs.alerts.book import AlertBook
from stream_jobs.alerts.compose import Planned
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.grouping import Episode
from stream_jobs.alerts.model import Alert, Transition, packed, unpacked
from stream_jobs.alerts.notification import Notification
from stream_jobs.alerts.notified import COLUMNS, DeliveryRow, Run
from stream_jobs.alerts.outbox import Outbox
from stream_jobs.alerts.routing import Routing
from stream_jobs.alerts.rows import delivery_row
from tests.unit.alerts.build import NOW, parsed


@dataclass
class Inbox:
    """What a receiver has heard. It takes the same key for the same notification."""

    notifications: list[Notification] = field(default_factory=list)
    open: set[Episode] = field(default_factory=set)
    notified: list[Episode] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def hear(self, planned: Planned) -> None:
        note = planned.notification
        if note.key in self.keys:
            assert note in self.notifications, "another content under the same key"
            return
        self.keys.add(note.key)
        self.notifications.append(note)
        self.notified += planned.notified
        self.open = (self.open | set(planned.notified)) - set(planned.over)

    @property
    def actions(self) -> list[str]:
        return [note.action for note in self.notifications]


class World:
    def __init__(self, document: AlertsDocument) -> None:
        self.document = document
        self.now: datetime = NOW
        self.book = AlertBook(Routing(document))
        self.outbox = Outbox(document)
        self.transitions: list[Transition] = []
        self.silences: list[Silence] = []
        self.deliveries: list[dict[str, Any]] = []
        self.inboxes = {receiver.name: Inbox() for receiver in document.receivers}

    def feed(self, *records: AlertSignal | AlertAck | Silence) -> None:
        items = [parsed(record) for record in records]
        unknown = self.book.unknown(items)
        self.book.admit(alert for alert in self._last().values() if alert.alert_id in unknown)
        folded = self.book.fold(items, self.now)
        self.silences += folded.silences
        self._record(folded.transitions)

    def advance(self, seconds: float) -> None:
        """The clock."""
        self.now += timedelta(seconds=seconds)
        self._record(self.book.tick(self.now).transitions)

    def _record(self, transitions: list[Transition]) -> None:
        self.transitions += transitions
        self.outbox.apply(transitions)

    def next(self, receiver: str) -> Planned | None:
        return self.outbox.next(receiver, self.now)[0]

    def write(self, planned: Planned, state: Any, attempt: int = 1) -> None:
        self.deliveries += delivery_row(planned, state, self.now, attempt).to_pylist()

    def tell(self, receiver: str) -> Planned | None:
        """One notification, if one is due, and it arrives."""
        planned = self.next(receiver)
        if planned is not None:
            self.write(planned, "sending")
            self.inboxes[receiver].hear(planned)
            self.write(planned, "sent")
            self.outbox.delivered(planned, self.now)
        return planned

    def tell_all(self, receiver: str) -> list[str]:
        """Everything that is due now: what was done."""
        actions: list[str] = []
        while (planned := self.tell(receiver)) is not None:
            actions.append(planned.notification.action)
        return actions

    def last(self, receiver: str) -> Notification:
        return self.inboxes[receiver].notifications[-1]

    def recorded(self, receiver: str) -> Counter[Episode]:
        """How often each episode was told for the first time, by the rows."""
        return Counter(
            episode
            for row in self.deliveries
            if row["receiver"] == receiver and row["state"] in ("sent", "skipped")
            for episode in zip(row["told"], row["told_episode"], strict=True)
        )

    def _last(self) -> dict[str, Alert]:
        """The last state of each alert, from the rows."""
        return {
            transition.alert_id: unpacked(packed(transition.alert))
            for transition in self.transitions
            if transition.alert is not None and transition.kind != "ack_refused"
        }

    def restart(self) -> None:
        """Everything is built anew from the rows, as AlertStore.load does it."""
        states: dict[Episode, Alert] = {
            (transition.alert_id, transition.alert.episode): transition.alert
            for transition in self.transitions
            if transition.alert is not None and transition.kind != "ack_refused"
        }
        active = [alert for alert in self._last().values() if alert.active]
        runs: dict[tuple[str, str], Run] = {}
        for values in sorted(self.deliveries, key=lambda row: (row["receiver"], row["group_id"], row["revision"])):
            row = DeliveryRow(*(values[name] for name in COLUMNS))
            runs.setdefault((row.receiver, row.group_id), Run(row)).add(row)
        done = [row for row in self.deliveries if row["state"] in ("sent", "skipped")]
        finished = {(row["receiver"], row["group_id"]) for row in done if row["action"] == "resolve"}
        ids = {alert.alert_id: alert.episode for alert in active}
        known = [
            run.known({e: states[e] for e in run.notified if ids.get(e[0]) != e[1] and e in states})
            for key, run in runs.items()
            if key not in finished
        ]
        notified = {
            (row["receiver"], *episode)
            for row in done
            for episode in zip(row["told"], row["told_episode"], strict=True)
        }
        pending = [
            (receiver, transition.alert)
            for transition in self.transitions
            if transition.kind == "resolved" and transition.alert is not None and transition.alert.episode
            for receiver in transition.alert.to_notify
            if (receiver, transition.alert.alert_id, transition.alert.episode) not in notified
        ]
        position = self.book.position + 1000
        refused = [transition.request_id for transition in self.transitions if transition.kind == "ack_refused"]
        self.book = AlertBook(Routing(self.document), active, self.silences, position, refused)
        self.outbox = Outbox(self.document)
        self.outbox.restore(active, known, pending, position, self.now)

    def act(self, receiver: str, chance: random.Random) -> None:
        """One attempt to tell: it arrives, or not, or the job dies before, while or after it."""
        planned = self.next(receiver)
        if planned is None:
            return
        fate = chance.choice(["sent", "sent", "lost", "unheard", "refused", "dies", "dies late"])
        self.write(planned, "sending")
        if fate in ("sent", "lost", "dies late"):
            self.inboxes[receiver].hear(planned)
        if fate == "sent":
            self.write(planned, "sent")
            self.outbox.delivered(planned, self.now)
        elif fate in ("dies", "dies late"):
            self.restart()
        else:
            # `lost`: it arrived and the answer did not; `unheard`: it did not arrive.
            self.write(planned, "failed")
            self.outbox.refused(planned, for_good=fate == "refused")

"""What a receiver knows of a run of a group: the sum of what it was told, from the rows of alert_deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stream_jobs.alerts.compose import Planned
from stream_jobs.alerts.grouping import NO_RANK, Episode
from stream_jobs.alerts.model import RANK, Alert
from stream_jobs.alerts.outbox import Known
from stream_jobs.alerts.rows import NOTIFICATION
from stream_jobs.base.instants import as_utc

COLUMNS: Final = (
    *("receiver", "group_id", "revision", "at", "state", "action", "alert_group", "severity", "position"),
    *("told", "told_episode", "over", "over_episode", "notification"),
)
"""The fields of a DeliveryRow, in their order."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    receiver: str
    group_id: str
    revision: int
    at: datetime
    state: str
    action: str
    alert_group: str
    severity: Any
    position: int
    notified: list[str]
    notified_episode: list[int]
    over: list[str]
    over_episode: list[int]
    notification: str

    def notified_episodes(self) -> tuple[Episode, ...]:
        return tuple(zip(self.notified, self.notified_episode, strict=True))

    def over_episodes(self) -> tuple[Episode, ...]:
        return tuple(zip(self.over, self.over_episode, strict=True))


class Run:
    """Adds up what one receiver was told of one run of a group. Rows come in the order of their revision and time."""

    def __init__(self, first: DeliveryRow) -> None:
        self.notified: dict[Episode, None] = {}
        self._last = first
        self._done: DeliveryRow | None = None
        self._sending: DeliveryRow | None = None  # the last that has not arrived, as far as is known
        self._failed = False  # and whether that was answered
        self._over = 0
        self._acked = False

    def add(self, row: DeliveryRow) -> None:
        self._last = row
        if row.state == "sending":
            self._sending, self._failed = row, False
            return
        if row.state == "failed":
            self._failed = True
            return
        self._sending = None
        if self._done is not None and self._done.revision == row.revision:
            return  # told again as it was
        self._done = row
        self.notified |= dict.fromkeys(row.notified_episodes())
        for episode in row.over_episodes():
            self.notified.pop(episode, None)
        self._over += len(row.over)
        self._acked = row.action == "acknowledge" or (self._acked and not row.notified)

    def known(self, states: Mapping[Episode, Alert]) -> Known:
        done, sending = self._done, self._sending
        planned = None
        if sending is not None:
            planned = Planned(
                sending.receiver,
                sending.alert_group,
                NOTIFICATION.validate_json(sending.notification),
                sending.notified_episodes(),
                sending.over_episodes(),
                sending.position,
                RANK[sending.severity],
            )
        return Known(
            receiver=self._last.receiver,
            group=self._last.alert_group,
            group_id=self._last.group_id,
            revision=self._last.revision,
            notified={episode: states.get(episode) for episode in self.notified},
            position=done.position if done else 0,
            rank=RANK[done.severity] if done else NO_RANK,
            over_before=self._over,
            acked=self._acked,
            last_notified=as_utc(done.at) if done else None,
            unanswered=None if self._failed else planned,
            failed=planned if self._failed else None,
        )

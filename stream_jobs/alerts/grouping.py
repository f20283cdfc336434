"""One group of alerts as one receiver knows it: what was told, what is true now, and when the difference is due.

Nothing waits in a queue: what is to be told is always the difference between the two, so a receiver that was away is
told the latest state once, and a limit delays and merges but never drops. What opened and was over before it could be
told is kept too (`missed`), and so is what is over and was told as open (`over`).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.alerts.model import RANK, Alert, Transition

Episode = tuple[str, int]
"""One alert from the moment it fires until it is over: alert_id and number."""
NO_RANK: Final = -1


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a group may speak to a receiver."""

    wait: timedelta
    interval: timedelta
    repeat: timedelta | None  # while something is open that nobody looks after
    refresh: timedelta | None  # while something is open, for receivers that forget


@dataclass(slots=True)
class GroupState:
    """One group and one receiver. `notified`, `fresh` hold alert ids and their episode."""

    receiver: str
    group: str
    group_id: str = ""  # of this run of the group, from its first alert until all of it is over
    revision: int = 0  # of the last notification that was made, told or not
    begun: bool = False  # whether the receiver knows of this run
    notified: dict[str, int] = field(default_factory=dict)  # as open, and they are
    fresh: dict[str, int] = field(default_factory=dict)  # open, to be told
    missed: dict[Episode, Alert] = field(default_factory=dict)
    over: dict[Episode, Alert] = field(default_factory=dict)
    noted: bool = False  # something that was told has changed
    unsilenced: bool = False  # and of all that is `noted` nothing but that a silence has ended
    urgent: bool = False  # something got graver
    corrected: bool = False  # something that was told was wrong
    acked: bool = False  # the receiver knows that somebody looks after all of it
    may_be_acked: bool = False
    hushed: bool = False  # all that is open is silenced: nothing to say until something changes
    blocked: bool = False  # the receiver refused this for good: not again until something changes
    in_flight: bool = False
    notified_rank: int = NO_RANK  # the gravest that was told
    rank: int = NO_RANK  # the gravest that is to be told
    position: int = 0  # changes up to here were told
    over_before: int = 0  # alerts of this run that were told as over
    pending_since: datetime | None = None
    last_notified: datetime | None = None

    @property
    def empty(self) -> bool:
        """Nothing is known to the receiver, and nothing is to be."""
        return not (self.notified or self.fresh or self.missed or self.over or self.in_flight)

    @property
    def pending(self) -> bool:
        """Something is to be told. (That somebody looks after all of it is, or is not, only seen when it is due.)"""
        return bool(self.fresh or self.missed or self.over or self.noted or self.urgent)

    def hold(self, alert: Alert, transition: Transition | None, now: datetime) -> None:
        """The receiver is to know that this alert is open. `transition`: what has just happened to it."""
        if self.notified.get(alert.alert_id) != alert.episode:
            if self.fresh.get(alert.alert_id) != alert.episode:
                self.fresh[alert.alert_id] = alert.episode
                self.corrected = self.corrected or _corrects(transition)
                self._touch(alert, now)
            self.rank = max(self.rank, RANK[alert.severity])
            self.urgent = self.urgent or (self.begun and RANK[alert.severity] > self.notified_rank)
            return
        news = (
            alert.noted_position > self.position if transition is None else alert.noted_position == transition.position
        )
        if not news:
            return
        if alert.status == "acknowledged":
            self.may_be_acked = True
        else:
            only = transition is not None and transition.kind == "unsilenced"
            self.unsilenced = only and (self.unsilenced or not self.noted)
            self.noted = True
            self.corrected = self.corrected or _corrects(transition)
            # Without the change at hand, after a restart: it is graver if it is graver than everything that was told.
            graver = RANK[alert.severity] > self.notified_rank if transition is None else transition.kind == "escalated"
            self.urgent = self.urgent or graver
        self._touch(alert, now)

    def release(self, alert: Alert) -> None:
        """The receiver need not hear of it (any more); what it was told stays told until it is over."""
        # What is under way may arrive: whether it did decides, and then this is asked again.
        if self.fresh.get(alert.alert_id) == alert.episode and not self.in_flight:
            del self.fresh[alert.alert_id]

    def end(self, alert: Alert, pending: bool, now: datetime) -> None:
        """The alert is over. `pending`: the receiver was to know of it."""
        if self.notified.get(alert.alert_id) == alert.episode:
            del self.notified[alert.alert_id]
            self.over[alert.alert_id, alert.episode] = alert
            self._touch(alert, now)
        elif self.fresh.get(alert.alert_id) == alert.episode:
            del self.fresh[alert.alert_id]
            if pending or self.in_flight:
                self.miss(alert, now)

    def miss(self, alert: Alert, now: datetime) -> None:
        """The alert was over before the receiver, which was to know of it, was told."""
        self.missed[alert.alert_id, alert.episode] = alert
        self._touch(alert, now)

    def _touch(self, alert: Alert, now: datetime) -> None:
        self.rank = max(self.rank, RANK[alert.severity])
        self.hushed = self.blocked = False
        if self.pending_since is None:
            self.pending_since = now

    def due(self, pace: Pace, all_acked: bool) -> datetime | None:
        """When to tell, however long ago that may be; None: there is nothing to tell. `all_acked`: somebody looks after
        each alert that is open."""
        if self.in_flight or self.hushed or self.blocked:
            return None
        if not self.begun:
            return self.pending_since + pace.wait if self.pending_since and (self.fresh or self.missed) else None
        assert self.last_notified is not None
        if self.pending_since is not None:
            nothing_open = not (self.notified or self.fresh)
            if self.urgent or (nothing_open and (self.over or self.missed)) or (all_acked and not self.acked):
                return self.pending_since
            if self.fresh or self.missed or self.over or self.noted:
                return max(self.pending_since, self.last_notified + pace.interval)
        if not self.notified:
            return None
        intervals = [pace.refresh, None if all_acked else pace.repeat]
        return min((self.last_notified + interval for interval in intervals if interval), default=None)


def _corrects(transition: Transition | None) -> bool:
    return transition is not None and transition.signal is not None and transition.signal.correction

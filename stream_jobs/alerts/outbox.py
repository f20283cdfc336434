"""Everything that is to be told, to whom, and what is next. No clock and no I/O: who sends says what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.alerts.compose import Planned, compose
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.grouping import NO_RANK, Episode, Lane, Pace
from stream_jobs.alerts.model import Alert, Change
from stream_jobs.alerts.receivers import Receiver
from stream_jobs.alerts.senders import resend_every_s


@dataclass(frozen=True, slots=True)
class Known:
    """What a receiver had been told of a group that is not over, from the deliveries that were recorded."""

    receiver: str
    group: str
    group_id: str
    revision: int
    told: Mapping[Episode, Alert | None]  # as open, and not yet as over; None: the alert is open still
    position: int
    rank: int
    over_before: int
    acked: bool
    last_told: datetime | None  # None: nothing yet
    unanswered: Planned | None  # was being sent when its sender stopped: it may have arrived
    failed: Planned | None  # the last that failed; who knows whether it arrived all the same


class Outbox:
    """Used from one event loop."""

    def __init__(self, document: AlertsDocument) -> None:
        self._alerts: dict[str, Alert] = {}  # active ones
        self._groups: dict[str, dict[str, Lane]] = {}
        self._lanes: dict[str, dict[str, Lane]] = {}  # by receiver, then group
        self._labels: dict[str, dict[str, str]] = {}  # by group: what all its alerts share
        self._last: dict[tuple[str, str], Planned] = {}  # made, and not known to have arrived
        self._unanswered: dict[str, list[Planned]] = {}
        self.position = 0
        self.use(document)

    def use(self, document: AlertsDocument) -> None:
        """Other paces; what was refused for good is tried again."""
        self._paces = {receiver.name: pace_of(document, receiver) for receiver in document.receivers}
        for lanes in self._lanes.values():
            for lane in lanes.values():
                lane.blocked = False

    # ── what is true ──────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, changes: Iterable[Change]) -> None:
        """Take in what is recorded in the history."""
        for change in changes:
            self.position = max(self.position, change.position)
            if change.alert is not None and change.kind != "ack_refused":
                self._apply(change.alert, change, change.at)

    def reassess(self, alerts: Iterable[Alert], now: datetime) -> None:
        """The rules have changed: these active alerts have other receivers, perhaps."""
        for alert in alerts:
            self._apply(alert, None, now)

    def _apply(self, alert: Alert, change: Change | None, now: datetime) -> None:
        lanes = self._groups.get(alert.group, {})
        if not alert.active:
            self._alerts.pop(alert.alert_id, None)
            for lane in list(lanes.values()):
                lane.end(alert, lane.receiver in alert.told_to, now)
                self._drop_if_empty(lane)
            return
        self._alerts[alert.alert_id] = alert
        told_to = alert.told_to
        for receiver in told_to:
            self._lane(receiver, alert.group).hold(alert, change, now)
        for lane in list(lanes.values()):
            if lane.receiver not in told_to:
                lane.release(alert)
                self._drop_if_empty(lane)
        if change is not None and alert.group in self._groups:
            self._share(alert, change.signal)

    def _share(self, alert: Alert, signal: AlertSignal | None) -> None:
        shared = self._labels.get(alert.group)
        if shared is None:
            self._labels[alert.group] = dict((signal or alert.unpacked()).labels)
        elif shared and signal is not None:
            labels = signal.labels
            for name in [name for name, value in shared.items() if labels.get(name) != value]:
                del shared[name]

    def _lane(self, receiver: str, group: str) -> Lane:
        lanes = self._groups.setdefault(group, {})
        lane = lanes.get(receiver)
        if lane is None:
            lane = lanes[receiver] = self._lanes.setdefault(receiver, {})[group] = Lane(receiver, group)
        return lane

    def _drop_if_empty(self, lane: Lane) -> None:
        if not lane.empty:
            return
        del self._lanes[lane.receiver][lane.group]
        lanes = self._groups[lane.group]
        del lanes[lane.receiver]
        self._last.pop((lane.receiver, lane.group), None)
        if not lanes:
            del self._groups[lane.group]
            self._labels.pop(lane.group, None)

    # ── what is next ──────────────────────────────────────────────────────────────────────────────────────────────

    def next(self, receiver: str, now: datetime) -> tuple[Planned | None, datetime | None]:
        """The gravest of what is due for this receiver, or when to ask again (None: when something has changed)."""
        if unanswered := self._unanswered.get(receiver):
            return unanswered[0], None
        pace = self._paces.get(receiver)
        if pace is None:
            return None, None
        due: list[Lane] = []
        later: datetime | None = None
        for lane in self._lanes.get(receiver, {}).values():
            at = lane.due(pace, self._all_acked(lane) if lane.may_be_acked or lane.acked else False)
            if at is None:
                continue
            if at <= now:
                due.append(lane)
            elif later is None or at < later:
                later = at
        due.sort(
            key=lambda lane: (-max(lane.rank, lane.told_rank if lane.over else NO_RANK), lane.pending_since or now)
        )
        for lane in due:
            planned = self._plan(lane, pace)
            if planned is not None:
                lane.in_flight = True
                return planned, None
            lane.hushed = True
        return None, later

    def _all_acked(self, lane: Lane) -> bool:
        ids = (*lane.told, *lane.fresh)
        return bool(ids) and all(self._alerts[alert_id].status == "acknowledged" for alert_id in ids)

    def _plan(self, lane: Lane, pace: Pace) -> Planned | None:
        """The notification, under a new revision unless it says what was said already: that may have arrived."""
        labels = self._labels.get(lane.group, {})
        refreshed = pace.refresh is not None and not (lane.pending or (lane.may_be_acked and self._all_acked(lane)))
        revision = lane.revision if refreshed else lane.revision + 1
        planned = compose(lane, self._alerts, labels, self.position, revision)
        last = self._last.get((lane.receiver, lane.group))
        if planned is None or (last is not None and _says_the_same(planned, last)):
            return last if planned is not None else None
        self._last[lane.receiver, lane.group] = planned
        lane.group_id, lane.revision = planned.notification.group_id, revision
        return planned

    # ── what became of it ─────────────────────────────────────────────────────────────────────────────────────────

    def delivered(self, planned: Planned, now: datetime) -> None:
        """The receiver knows it now."""
        self._answered(planned)
        lane = self._lane(planned.receiver, planned.group)
        action = planned.notification.action
        lane.in_flight = lane.blocked = False
        lane.group_id = planned.notification.group_id
        lane.revision = max(lane.revision, planned.notification.revision)
        lane.begun, lane.last_told, lane.position, lane.told_rank = True, now, planned.position, planned.rank
        lane.over_before += len(planned.over)
        self._move(lane, planned)
        lane.noted = lane.urgent = lane.corrected = lane.may_be_acked = False
        lane.rank, lane.pending_since = NO_RANK, None
        if action == "resolve":
            # What opens from now on is another run of the group.
            lane.begun, lane.group_id, lane.revision, lane.over_before = False, "", 0, 0
            lane.told_rank, lane.acked = NO_RANK, False
        all_acked = self._all_acked(lane)
        lane.acked = all_acked and (lane.acked or action == "acknowledge")
        lane.may_be_acked = all_acked and not lane.acked
        for alert_id in (*lane.told, *lane.fresh):
            alert = self._alerts[alert_id]
            # What has changed while it was on its way is not in it.
            if alert.position > planned.position:
                lane.hold(alert, None, now)
        if lane.pending or lane.may_be_acked:
            lane.pending_since = now
        self._last.pop((planned.receiver, planned.group), None)
        self._tidy(lane)

    def _tidy(self, lane: Lane) -> None:
        """Nothing is under way: what was silenced or routed elsewhere meanwhile need not be told."""
        for alert_id in list(lane.fresh):
            if lane.receiver not in self._alerts[alert_id].told_to:
                lane.release(self._alerts[alert_id])
        self._drop_if_empty(lane)

    def _move(self, lane: Lane, planned: Planned) -> None:
        over = set(planned.over)
        for episode in planned.told:
            alert_id, number = episode
            missed = lane.missed.pop(episode, None)
            if lane.fresh.get(alert_id) == number:
                del lane.fresh[alert_id]
            if episode in over:
                continue
            if missed is not None:
                lane.over[episode] = missed
            elif (alert := self._alerts.get(alert_id)) is not None and alert.episode == number:
                lane.told[alert_id] = number
        for episode in over:
            lane.over.pop(episode, None)

    def refused(self, planned: Planned, *, for_good: bool) -> None:
        """It did not arrive, as far as we know. `for_good`: trying the same again is of no use."""
        if planned in self._unanswered.get(planned.receiver, ()) and not for_good:
            return  # it may have arrived before the restart: only the same again is harmless
        self._answered(planned)
        lane = self._groups.get(planned.group, {}).get(planned.receiver)
        if lane is not None:
            lane.in_flight = False
            lane.blocked = for_good
            self._tidy(lane)

    def _answered(self, planned: Planned) -> None:
        waiting = self._unanswered.get(planned.receiver, [])
        if planned in waiting:
            waiting.remove(planned)

    # ── after a restart ───────────────────────────────────────────────────────────────────────────────────────────

    def restore(
        self,
        alerts: Iterable[Alert],
        known: Iterable[Known],
        owed: Iterable[tuple[str, Alert]],
        position: int,
        now: datetime,
    ) -> None:
        """From the store: the active alerts, what each receiver was told of groups that are not over, and what was over
        before a receiver that was to know of it was told. `position`: of the last change."""
        self.position = position
        for item in known:
            self._restore_lane(item, now)
        for alert in alerts:
            self._apply(alert, None, now)
            if alert.group in self._groups:
                self._share(alert, alert.unpacked())
        for receiver, alert in owed:
            lane = self._lane(receiver, alert.group)
            lane.miss(alert, now)
        held = {(alert.alert_id, alert.episode) for alert in self._alerts.values()}
        for lane in [lane for lanes in self._lanes.values() for lane in lanes.values()]:
            # The history of some may be gone: older than what is kept.
            lane.told = {name: number for name, number in lane.told.items() if (name, number) in held}
            self._drop_if_empty(lane)

    def _restore_lane(self, item: Known, now: datetime) -> None:
        lane = self._lane(item.receiver, item.group)
        lane.group_id, lane.revision, lane.begun = item.group_id, item.revision, item.last_told is not None
        lane.position, lane.told_rank, lane.over_before = item.position, item.rank, item.over_before
        lane.acked, lane.last_told = item.acked, item.last_told
        for episode, alert in item.told.items():
            lane.told[episode[0]] = episode[1]
            if alert is not None:
                lane.end(alert, True, now)
        if item.unanswered is not None:
            self._unanswered.setdefault(item.receiver, []).append(item.unanswered)
        if item.failed is not None:
            self._last[item.receiver, item.group] = item.failed

    # ── for people ────────────────────────────────────────────────────────────────────────────────────────────────

    def pending(self, receiver: str) -> int:
        """Groups that this receiver is to hear of."""
        lanes = self._lanes.get(receiver, {})
        return sum(lane.pending or lane.in_flight for lane in lanes.values()) + len(self._unanswered.get(receiver, ()))

    @property
    def receivers(self) -> tuple[str, ...]:
        return tuple(self._paces)


def _says_the_same(planned: Planned, last: Planned) -> bool:
    numbered = replace(planned.notification, revision=last.notification.revision, key=last.notification.key)
    return (numbered, planned.told, planned.over) == (last.notification, last.told, last.over)


def pace_of(document: AlertsDocument, receiver: Receiver) -> Pace:
    """A receiver that forgets reminds people itself; it is told again what holds."""
    refresh_s = resend_every_s(receiver)
    return Pace(
        timedelta(seconds=document.grouping.group_wait_s),
        timedelta(seconds=document.grouping.group_interval_s),
        document.repeat_every if refresh_s is None else None,
        None if refresh_s is None else timedelta(seconds=refresh_s),
    )

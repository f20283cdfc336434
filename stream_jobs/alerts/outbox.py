"""Everything that is to be told, to whom, and what is next. No clock and no I/O: who sends says what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.alerts.compose import Planned, compose
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.grouping import NO_RANK, Episode, GroupState, Pace
from stream_jobs.alerts.model import RANK, Alert, Transition, TransitionKind
from stream_jobs.alerts.notifiers import resend_every_s
from stream_jobs.alerts.receivers import Receiver

GRAVE: Final = RANK["error"]
_BRINGS: Final = frozenset[TransitionKind](("opened", "reopened", "escalated", "unsilenced"))


@dataclass(frozen=True, slots=True)
class Known:
    """What a receiver had been told of a group that is not over, from the deliveries that were recorded."""

    receiver: str
    group: str
    group_id: str
    revision: int
    notified: Mapping[Episode, Alert | None]  # as open, and not yet as over; None: the alert is open still
    position: int
    rank: int
    over_before: int
    acked: bool
    last_notified: datetime | None  # None: nothing yet
    unanswered: Planned | None  # was being sent when its notifier stopped: it may have arrived
    failed: Planned | None  # the last that failed; who knows whether it arrived all the same


class Outbox:
    """Used from one event loop."""

    def __init__(self, document: AlertsDocument) -> None:
        self._alerts: dict[str, Alert] = {}  # active ones
        self._groups: dict[str, dict[str, GroupState]] = {}
        self._states: dict[str, dict[str, GroupState]] = {}  # by receiver, then group
        self._labels: dict[str, dict[str, str]] = {}  # by group: what all its alerts share
        self._last: dict[tuple[str, str], Planned] = {}  # made, and not known to have arrived
        self._unanswered: dict[str, list[Planned]] = {}
        self._grave: dict[str, int] = {}  # by receiver: the last change that brought something grave
        self.position = 0
        self.use(document)

    def use(self, document: AlertsDocument) -> None:
        """Other paces; what was refused for good is tried again."""
        self._paces = {receiver.name: pace_of(document, receiver) for receiver in document.receivers}
        for states in self._states.values():
            for state in states.values():
                state.blocked = False

    # ── what is true ──────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, transitions: Iterable[Transition]) -> None:
        """Take in what is recorded in the history."""
        for transition in transitions:
            self.position = max(self.position, transition.position)
            if transition.alert is not None and transition.kind != "ack_refused":
                self._apply(transition.alert, transition, transition.at)

    def reassess(self, alerts: Iterable[Alert], now: datetime) -> None:
        """The rules have changed: these active alerts have other receivers, perhaps."""
        for alert in alerts:
            self._apply(alert, None, now)

    def _apply(self, alert: Alert, transition: Transition | None, now: datetime) -> None:
        states = self._groups.get(alert.group, {})
        if not alert.active:
            self._alerts.pop(alert.alert_id, None)
            for state in list(states.values()):
                state.end(alert, state.receiver in alert.to_notify, now)
                self._drop_if_empty(state)
            return
        self._alerts[alert.alert_id] = alert
        to_notify = alert.to_notify
        if transition is not None and transition.kind in _BRINGS and RANK[alert.severity] >= GRAVE:
            self._grave |= dict.fromkeys(to_notify, transition.position)
        for receiver in to_notify:
            self._state(receiver, alert.group).hold(alert, transition, now)
        for state in list(states.values()):
            if state.receiver not in to_notify:
                state.release(alert)
                self._drop_if_empty(state)
        if transition is not None and alert.group in self._groups:
            self._share(alert, transition.signal)

    def _share(self, alert: Alert, signal: AlertSignal | None) -> None:
        shared = self._labels.get(alert.group)
        if shared is None:
            self._labels[alert.group] = dict((signal or alert.unpacked()).labels)
        elif shared and signal is not None:
            labels = signal.labels
            for name in [name for name, value in shared.items() if labels.get(name) != value]:
                del shared[name]

    def _state(self, receiver: str, group: str) -> GroupState:
        states = self._groups.setdefault(group, {})
        state = states.get(receiver)
        if state is None:
            state = states[receiver] = self._states.setdefault(receiver, {})[group] = GroupState(receiver, group)
        return state

    def _drop_if_empty(self, state: GroupState) -> None:
        if not state.empty:
            return
        del self._states[state.receiver][state.group]
        states = self._groups[state.group]
        del states[state.receiver]
        self._last.pop((state.receiver, state.group), None)
        if not states:
            del self._groups[state.group]
            self._labels.pop(state.group, None)

    # ── what is next ──────────────────────────────────────────────────────────────────────────────────────────────

    def next(self, receiver: str, now: datetime) -> tuple[Planned | None, datetime | None]:
        """The gravest of what is due for this receiver, or when to ask again (None: when something has changed)."""
        if unanswered := self._unanswered.get(receiver):
            return unanswered[0], None
        pace = self._paces.get(receiver)
        if pace is None:
            return None, None
        due: list[GroupState] = []
        later: datetime | None = None
        for state in self._states.get(receiver, {}).values():
            at = state.due(pace, self._all_acked(state) if state.may_be_acked or state.acked else False)
            if at is None:
                continue
            if at <= now:
                due.append(state)
            elif later is None or at < later:
                later = at
        due.sort(
            key=lambda state: (
                -max(state.rank, state.notified_rank if state.over else NO_RANK),
                state.pending_since or now,
            )
        )
        for state in due:
            planned = self._plan(state, pace)
            if planned is not None:
                state.in_flight = True
                return planned, None
            state.hushed = True
        return None, later

    def _all_acked(self, state: GroupState) -> bool:
        ids = (*state.notified, *state.fresh)
        return bool(ids) and all(self._alerts[alert_id].status == "acknowledged" for alert_id in ids)

    def _plan(self, state: GroupState, pace: Pace) -> Planned | None:
        """The notification, under a new revision unless it says what was said already: that may have arrived."""
        labels = self._labels.get(state.group, {})
        refreshed = pace.refresh is not None and not (state.pending or (state.may_be_acked and self._all_acked(state)))
        revision = state.revision if refreshed else state.revision + 1
        planned = compose(state, self._alerts, labels, self.position, revision)
        last = self._last.get((state.receiver, state.group))
        if planned is None or (last is not None and _says_the_same(planned, last)):
            return last if planned is not None else None
        self._last[state.receiver, state.group] = planned
        state.group_id, state.revision = planned.notification.group_id, revision
        return planned

    # ── what became of it ─────────────────────────────────────────────────────────────────────────────────────────

    def delivered(self, planned: Planned, now: datetime) -> None:
        """The receiver knows it now."""
        self._answered(planned)
        state = self._state(planned.receiver, planned.group)
        action = planned.notification.action
        state.in_flight = state.blocked = False
        state.group_id = planned.notification.group_id
        state.revision = max(state.revision, planned.notification.revision)
        state.begun, state.last_notified, state.position, state.notified_rank = (
            True,
            now,
            planned.position,
            planned.rank,
        )
        state.over_before += len(planned.over)
        self._move(state, planned)
        state.noted = state.unsilenced = state.urgent = state.corrected = state.may_be_acked = False
        state.rank, state.pending_since = NO_RANK, None
        if action == "resolve":
            # What opens from now on is another run of the group.
            state.begun, state.group_id, state.revision, state.over_before = False, "", 0, 0
            state.notified_rank, state.acked = NO_RANK, False
        all_acked = self._all_acked(state)
        state.acked = all_acked and (state.acked or action == "acknowledge")
        state.may_be_acked = all_acked and not state.acked
        for alert_id in (*state.notified, *state.fresh):
            alert = self._alerts[alert_id]
            # What has changed while it was on its way is not in it.
            if alert.position > planned.position:
                state.hold(alert, None, now)
        if state.pending or state.may_be_acked:
            state.pending_since = now
        self._last.pop((planned.receiver, planned.group), None)
        self._tidy(state)

    def _tidy(self, state: GroupState) -> None:
        """Nothing is under way: what was silenced or routed elsewhere meanwhile need not be told."""
        for alert_id in list(state.fresh):
            if state.receiver not in self._alerts[alert_id].to_notify:
                state.release(self._alerts[alert_id])
        self._drop_if_empty(state)

    def _move(self, state: GroupState, planned: Planned) -> None:
        over = set(planned.over)
        for episode in planned.notified:
            alert_id, number = episode
            missed = state.missed.pop(episode, None)
            if state.fresh.get(alert_id) == number:
                del state.fresh[alert_id]
            if episode in over:
                continue
            if missed is not None:
                state.over[episode] = missed
            elif (alert := self._alerts.get(alert_id)) is not None and alert.episode == number:
                state.notified[alert_id] = number
        for episode in over:
            state.over.pop(episode, None)

    def refused(self, planned: Planned, *, for_good: bool) -> None:
        """It did not arrive, as far as we know. `for_good`: trying the same again is of no use."""
        if planned in self._unanswered.get(planned.receiver, ()) and not for_good:
            return  # it may have arrived before the restart: only the same again is harmless
        self._answered(planned)
        state = self._groups.get(planned.group, {}).get(planned.receiver)
        if state is not None:
            state.in_flight = False
            state.blocked = for_good
            self._tidy(state)

    def _answered(self, planned: Planned) -> None:
        waiting = self._unanswered.get(planned.receiver, [])
        if planned in waiting:
            waiting.remove(planned)

    # ── after a restart ───────────────────────────────────────────────────────────────────────────────────────────

    def restore(
        self,
        alerts: Iterable[Alert],
        known: Iterable[Known],
        pending: Iterable[tuple[str, Alert]],
        position: int,
        now: datetime,
    ) -> None:
        """From the store: the active alerts, what each receiver was told of groups that are not over, and what was over
        before a receiver that was to know of it was told. `position`: of the last change."""
        self.position = position
        for item in known:
            self._restore_state(item, now)
        for alert in alerts:
            self._apply(alert, None, now)
            if alert.group in self._groups:
                self._share(alert, alert.unpacked())
        for receiver, alert in pending:
            state = self._state(receiver, alert.group)
            state.miss(alert, now)
        held = {(alert.alert_id, alert.episode) for alert in self._alerts.values()}
        for state in [state for states in self._states.values() for state in states.values()]:
            # The history of some may be gone: older than what is kept.
            state.notified = {name: number for name, number in state.notified.items() if (name, number) in held}
            self._drop_if_empty(state)

    def _restore_state(self, item: Known, now: datetime) -> None:
        state = self._state(item.receiver, item.group)
        state.group_id, state.revision, state.begun = item.group_id, item.revision, item.last_notified is not None
        state.position, state.notified_rank, state.over_before = item.position, item.rank, item.over_before
        state.acked, state.last_notified = item.acked, item.last_notified
        for episode, alert in item.notified.items():
            state.notified[episode[0]] = episode[1]
            if alert is not None:
                state.end(alert, True, now)
        if item.unanswered is not None:
            self._unanswered.setdefault(item.receiver, []).append(item.unanswered)
        if item.failed is not None:
            self._last[item.receiver, item.group] = item.failed

    # ── what a failing receiver waits with ────────────────────────────────────────────────────────────────────────

    def waits_with_grave(self, receiver: str) -> bool:
        """Whether an error, or what is graver, is among what it is to hear of."""
        return any(
            state.rank >= GRAVE and (state.pending or state.in_flight)
            for state in self._states.get(receiver, {}).values()
        )

    def grave_since(self, receiver: str, position: int) -> bool:
        """Whether such a thing has come to it after that change."""
        return self._grave.get(receiver, 0) > position

    # ── for people ────────────────────────────────────────────────────────────────────────────────────────────────

    def pending(self, receiver: str) -> int:
        """Groups that this receiver is to hear of."""
        states = self._states.get(receiver, {})
        return sum(state.pending or state.in_flight for state in states.values()) + len(
            self._unanswered.get(receiver, ())
        )

    @property
    def receivers(self) -> tuple[str, ...]:
        return tuple(self._paces)


def _says_the_same(planned: Planned, last: Planned) -> bool:
    numbered = replace(planned.notification, revision=last.notification.revision, key=last.notification.key)
    return (numbered, planned.notified, planned.over) == (last.notification, last.notified, last.over)


def pace_of(document: AlertsDocument, receiver: Receiver) -> Pace:
    """A receiver that forgets reminds people itself; it is told again what holds."""
    refresh_s = resend_every_s(receiver)
    return Pace(
        timedelta(seconds=document.grouping.group_wait_s),
        timedelta(seconds=document.grouping.group_interval_s),
        document.repeat_every if refresh_s is None else None,
        None if refresh_s is None else timedelta(seconds=refresh_s),
    )

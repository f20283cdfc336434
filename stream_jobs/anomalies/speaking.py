"""Which changes of groups people should hear of. Plain: no store, no broker.

A group is told once its cause was looked for (or a quarter of a minute after it was found) and it is worth telling;
then when it gets graver, and when it is over. While an incident grows it gets graver minute by minute: people hear at
once that it became critical, for then somebody is paged, and of any other rise when it has been a quarter of an hour
since they were told. In between its alert follows the figures without a word, when they have
moved by a hundredth, within half a minute. What was over before it could be told is told as open, and then as over.
What changes afterwards, by late entries, is a correction.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.anomalies.grouping import Group, pull
from stream_jobs.anomalies.signals import (
    Told,
    alert_id,
    excess_usd,
    firing,
    gone,
    head_of,
    over_text,
    per_day_usd,
    severity_at,
    until_of,
)

WAITS_FOR_CAUSE_S: Final = 15.0
WAITS_FOR_PLANS_S: Final = 60.0
"""The same where something was planned for the time: only what the stretch holds tells whether that is it."""
WAITS_FOR_OTHERS_S: Final = 60.0
"""Where something else of a group than people know of goes on: it may be what another group tells in a moment."""
RESUMES: Final = Decimal("0.1")
"""A burst that was over for people goes on when it is dearer by this part."""
STEADY: Final = timedelta(minutes=5)
"""What a rate comes to in a day counts once it has held for so long."""
SETTLES_S: Final = 900.0
"""After people were told they are not told of a higher level for so long, unless it became critical."""
FOLLOWS_S: Final = 30.0
DRIFT_S: Final = 900.0
MATERIAL: Final = 100
"""A figure has moved when it did so by a hundredth."""
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Said:
    """What was last said of a group."""

    status: str
    level: int
    value: Decimal | None = None  # None: before a restart
    content: int = 0
    why: tuple[str, ...] = ()  # causes, and what people said of it
    at_s: float = 0.0
    observed_at: datetime | None = None
    told_s: float = 0.0  # when people were told of this level
    corrected: bool = False  # that it was taken back
    calmed: bool = False  # that it was over though windows still held it


@dataclass(frozen=True, slots=True)
class View:
    """A group as it stands."""

    group: Group
    told: Told
    looked: bool  # its cause was looked for
    silenced: str = ""  # why nobody is to be told, in words; empty: people are
    planned: bool = False  # something was, for the time, and nobody knows yet whether it is this
    judged: datetime | None = None  # the end of the last minute that was, where one was since the start

    @property
    def is_over(self) -> bool:
        return self.group.is_over(self.judged)


class Speaking:
    """Used by one thread."""

    def __init__(self, floor_usd: Decimal, clock: Callable[[], float] = time.monotonic) -> None:
        self._floor = floor_usd
        self._clock = clock
        self._said: dict[str, Said] = {}
        self._since: dict[str, float] = {}  # when a group that nobody was told of was first seen
        self._orphans: set[str] = set()
        self._next: dict[str, Said] = {}
        self._waiting: set[str] = set()
        self._looked_at: set[str] = set()
        self._waiting_next: set[str] = set()

    def begin(self, groups: Collection[str], alerts: Mapping[str, tuple[str, int]]) -> None:
        """After a start: the groups that there are, and what the alerts job knows: status and level by alert."""
        self._said, self._since, self._next = {}, {}, {}
        self._waiting = set(groups)
        for group_id in groups:
            if (known := alerts.get(alert_id(group_id))) is not None:
                status = "firing" if known[0] != "resolved" else "resolved"
                self._said[group_id] = Said(status, known[1], told_s=self._clock())
        ids = {alert_id(group_id) for group_id in groups}
        self._orphans = {one for one, (status, _) in alerts.items() if one not in ids and status != "resolved"}

    @property
    def waiting(self) -> set[str]:
        """Groups to look at again though nothing about them has changed."""
        return self._waiting

    def say(self, views: Iterable[View], now: datetime) -> list[AlertSignal]:
        """What to send of these. It counts as said with `sent`; until then it is said again."""
        self._next = {}
        self._waiting_next, self._looked_at = set(), set()
        signals = [gone(identity, now) for identity in sorted(self._orphans)]
        for view in views:
            self._looked_at.add(view.group.group_id)
            signal = self._of(view, now)
            if signal is not None:
                signals.append(signal)
        return signals

    def sent(self) -> None:
        """All of the last `say` has arrived."""
        self._said |= self._next
        self._orphans.clear()
        for group_id in self._next:
            self._since.pop(group_id, None)
        self._waiting = (self._waiting - self._looked_at) | self._waiting_next
        self._next, self._looked_at, self._waiting_next = {}, set(), set()

    def forget(self, groups: Iterable[str]) -> None:
        for group_id in groups:
            self._said.pop(group_id, None)
            self._since.pop(group_id, None)
            self._waiting.discard(group_id)

    def is_worth(self, view: View) -> bool:
        """Whether it has cost so much more or less than expected, or has held for STEADY and would within a day: a
        minute of cents is nothing to wake anybody for, whatever 1,440 of them come to. What nobody knows is; a driver
        that lowers the cost is not, by itself."""
        head = head_of(view.group)
        if head.kind == "driver" and pull(head) == "down":
            return False  # fewer errors: good news, unless somebody pays less for it, which cost tells
        amounts = [excess_usd(head, view.told), per_day_usd(head, view.told)]
        lasted = min(until_of(head, view.told), head.went_on_until) - head.starts_at
        if head.kind == "dear_request" or lasted < STEADY:  # the former happens once
            amounts = amounts[:1]
        known = [abs(amount) for amount in amounts if amount is not None]
        return not known or max(known) >= self._floor

    def _of(self, view: View, now: datetime) -> AlertSignal | None:
        group_id = view.group.group_id
        said = self._said.get(group_id)
        if said is None:
            return self._first(view, now)
        if view.silenced or view.is_over or (said.status == "resolved" and not self._resumes(view, said)):
            self._since.pop(group_id, None)
            return self._ended(view, said, now)
        if view.group.head not in ("", head_of(view.group).finding_id) and self._waits(group_id, WAITS_FOR_OTHERS_S):
            return None
        self._since.pop(group_id, None)
        return self._going_on(view, said, now)

    def _first(self, view: View, now: datetime) -> AlertSignal | None:
        group_id = view.group.group_id
        if view.silenced or not self.is_worth(view):
            return None
        if self._waits(group_id, WAITS_FOR_PLANS_S if view.planned else 0.0 if view.looked else WAITS_FOR_CAUSE_S):
            return None
        if view.is_over:
            self._waiting_next.add(group_id)  # to say that it is over
        return self._noted(view, firing(view.group, view.told, now), None)

    def _waits(self, group_id: str, wait_s: float) -> bool:
        """For so long from the first time on that there was something to be told."""
        waits = self._clock() < self._since.setdefault(group_id, self._clock()) + wait_s
        if waits:
            self._waiting_next.add(group_id)
        return waits

    def _resumes(self, view: View, said: Said) -> bool:
        """Whether what was over goes on: what is calm does not, nor a burst of which windows hold a little more."""
        if view.group.is_calm or not said.calmed or said.value is None:
            return not view.group.is_calm
        more = abs(head_of(view.group).actual - said.value)
        return more >= max(RESUMES * abs(said.value), self._floor)

    def _going_on(self, view: View, said: Said, now: datetime) -> AlertSignal | None:
        at = self._later(said, now)
        signal = firing(view.group, view.told, at, level=said.level)
        if said.status == "firing" and signal.level > said.level and not self._is_told_now(signal, said):
            self._waiting_next.add(view.group.group_id)
            signal = firing(view.group, view.told, at, level=said.level, held=True)
        if said.status == "firing" and said.value is not None:
            content = _content(signal)
            if content == said.content:
                return None
            moved = signal.value is not None and abs(signal.value - said.value) * MATERIAL >= abs(said.value)
            age_s = self._clock() - said.at_s
            wait_s = FOLLOWS_S if moved or _why(signal, view) != said.why else DRIFT_S
            if signal.level <= said.level and age_s < wait_s:
                self._waiting_next.add(view.group.group_id)
                return None
        return self._noted(view, signal, said)

    def _is_told_now(self, signal: AlertSignal, said: Said) -> bool:
        """Of a level that is higher than the one that people know."""
        became_critical = signal.severity == "critical" != severity_at(said.level)
        return became_critical or self._clock() >= said.told_s + SETTLES_S

    def _ended(self, view: View, said: Said, now: datetime) -> AlertSignal | None:
        why = view.silenced or over_text(view.group, view.told)
        was_over = said.status == "resolved"
        head = head_of(view.group)
        if was_over and (view.silenced or said.value is None or view.group.is_open):
            return None
        moved = said.value is not None and abs(head.actual - said.value) * MATERIAL >= abs(said.value)
        corrected = head.closing == "corrected"
        if was_over and not moved and said.corrected == corrected:
            return None
        at = self._later(said, now)
        signal = firing(
            view.group, view.told, at, level=said.level, held=True, correction=was_over or corrected, ended=why
        )
        return self._noted(view, signal, said)

    def _noted(self, view: View, signal: AlertSignal, said: Said | None) -> AlertSignal:
        head = head_of(view.group)
        view.group.head = head.finding_id
        known = said if said is not None and said.status == "firing" and signal.level <= said.level else None
        self._next[view.group.group_id] = Said(
            signal.status,
            max(signal.level, said.level if said is not None else 0),
            signal.value,
            _content(signal),
            _why(signal, view),
            self._clock(),
            signal.observed_at,
            self._clock() if known is None else known.told_s,
            corrected=head.closing == "corrected",
            calmed=signal.status == "resolved" and not view.silenced and view.group.is_open,
        )
        return signal

    @staticmethod
    def _later(said: Said, now: datetime) -> datetime:
        """Of two signals of one instant the graver one would hold."""
        return now if said.observed_at is None else max(now, said.observed_at + _TICK)


def _why(signal: AlertSignal, view: View) -> tuple[str, ...]:
    return (*signal.causes, view.told.note)


def _content(signal: AlertSignal) -> int:
    """Equal for signals that say the same, whenever they say it; the window grows by itself."""
    facts = [(fact.name, fact.text) for fact in signal.facts if fact.name != "Window"]
    said = signal.status, signal.severity, signal.level, signal.value, signal.causes
    return hash((*said, str(facts), str(signal.labels), signal.owner))

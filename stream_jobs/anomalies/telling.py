"""Groups, explains and tells what was found: the telling side of the job, see `model.Telling`.

A cycle: changes of findings ▸ marks and planned events that are new ▸ what was found out about causes ▸ groups ▸ who
is silenced ▸ rows; and once these are recorded: signals. Causes are looked for in a thread of its own, one after the
other; nothing here waits for them.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, cast

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.anomalies.causes import Causes
from stream_jobs.anomalies.findings import FIELDS, from_row
from stream_jobs.anomalies.grouping import Group
from stream_jobs.anomalies.groups import GroupBook
from stream_jobs.anomalies.marks import SILENCED, Mark, Marks, read_marks
from stream_jobs.anomalies.model import Change, FindingRow, Steer
from stream_jobs.anomalies.reading import CARRIED, EXPLAINED
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.signals import PREFIX, Told, head_of
from stream_jobs.anomalies.silencing import EVENT, dimensions_of, explains, planned_for, silenced_by
from stream_jobs.anomalies.speaking import Speaking, View
from stream_jobs.planned.document import FILE_NAME
from stream_jobs.planned.events import PlannedEvents, load_events
from stream_jobs.runtime.files_reload import FilesReload
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""How often marks and changed files are looked for."""
WAITING_S: Final = 1.0
"""How often groups are looked at of which nothing has changed but the time."""
SILENCES_S: Final = 30.0
"""How often all open groups are held against planned events: these begin and end by themselves."""
QUIET: Final = "quiet"


class Publisher(Protocol):
    """Of runtime.alert_signals."""

    def publish(self, signals: Iterable[AlertSignal]) -> None: ...

    def close(self) -> None: ...


class EventsFile:
    """`events.yaml`, as it is by now."""

    def __init__(self, config_dir: Path | None) -> None:
        """Raises ConfigError for one that cannot be used."""
        files = (config_dir / FILE_NAME,) if config_dir is not None else ()
        self._reload = FilesReload("planned events", lambda: files, partial(load_events, config_dir), self._take)
        self.events = load_events(config_dir)

    def look(self) -> None:
        """Take up what has changed, once it stays the same from one look to the next."""
        self._reload.look()

    def _take(self, events: PlannedEvents) -> None:
        self.events = events


class _Every:
    def __init__(self, every_s: float, clock: Callable[[], float]) -> None:
        self._every_s, self._clock, self._at = every_s, clock, clock()

    def __call__(self) -> bool:
        if self._clock() < self._at:
            return False
        self._at = self._clock() + self._every_s
        return True


@dataclass(frozen=True, slots=True)
class _Silence:
    """Why nobody is told of a group, as it is kept and in words; and what was planned and does not explain it."""

    kept: str = ""
    words: str = ""
    exceeded: str = ""


class Teller:
    """Implements model.Telling. `publisher` is closed with it."""

    def __init__(
        self,
        store: StoreClient,
        publisher: Publisher,
        settings: AnomaliesSettings,
        file: EventsFile,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._quiet = settings.quiet_levels
        self._clock = clock
        self._file, self._events = file, file.events
        self._causes = Causes(store)
        self._speaking = Speaking(settings.floor_usd, clock)
        self._start()

    def _start(self) -> None:
        self._book = GroupBook(self._clock)
        self._marks = Marks()
        self._dirty: set[str] = set()
        self._silences: dict[str, _Silence] = {}
        self._steers: list[Steer] = []
        self._steered: tuple[datetime, list[Steer]] | None = None
        self._judged: datetime | None = None
        self._look, self._look_at_all = _Every(LOOK_S, self._clock), _Every(SILENCES_S, self._clock)
        self._look_again = _Every(WAITING_S, self._clock)

    # -- model.Telling

    def begin(self, recorded: Sequence[FindingRow], now: datetime) -> None:
        """Implements Telling."""
        self._start()
        self._book.begin(recorded)
        alerts = self._alerts()
        for mark in self._marks.fresh(read_marks(self._store, now)):
            self._take_up(mark)
        self._speaking.begin(self._book.groups, alerts)
        self._dirty |= self._book.groups.keys()

    def steer(self, minute: datetime) -> list[Steer]:
        """Implements Telling."""
        self._judged = minute
        if self._steered is None or self._steered[0] != minute:
            self._steered = minute, self._steers
            self._steers = []
        return self._steered[1]

    def prepare(self, changes: Sequence[Change], now: datetime) -> list[FindingRow]:
        """Implements Telling."""
        fresh: list[Mark] = []
        if self._look():
            fresh = self._marks.fresh(read_marks(self._store, now))
            self._file.look()
            if self._file.events is not self._events:
                self._events = self._file.events
                self._dirty |= {group_id for group_id, group in self._book.groups.items() if group.is_open}
        touched = self._book.take(changes)
        for mark in fresh:
            touched |= self._take_up(mark)
        touched |= self._look_for_causes(now) | self._book.give_up()
        if self._look_at_all():
            touched |= {group_id for group_id, group in self._book.groups.items() if group.is_open}
            self._forget(now)
        touched |= self._dirty
        self._dirty = touched
        for group_id in touched:
            if (group := self._book.groups.get(group_id)) is not None:
                self._silences[group_id] = self._silence_of(group, now)
        return self._rows(changes, touched, now)

    def tell(self, rows: Sequence[FindingRow], now: datetime) -> None:
        """Implements Telling."""
        for row in rows:
            self._book.keep(row)
        wanted = self._dirty | (self._speaking.waiting if self._look_again() else set())
        views = [
            self._view(self._book.groups[group_id]) for group_id in sorted(wanted) if group_id in self._book.groups
        ]
        if signals := self._speaking.say(views, now):
            self._publisher.publish(signals)
        self._speaking.sent()
        for view in views:
            self._book.groups[view.group.group_id].head = view.group.head
        self._dirty = set()

    def close(self) -> None:
        """Implements Telling."""
        self._causes.close()
        self._publisher.close()

    # -- what is new

    def wait_for_causes(self, timeout_s: float) -> None:
        """Until what is looked into now is found out."""
        self._causes.wait(timeout_s)

    def _look_for_causes(self, now: datetime) -> set[str]:
        touched: set[str] = set()
        if (found := self._causes.done()) is not None:
            touched = self._book.found(*found)
        if self._causes.busy is None and (row := self._book.next_look()) is not None:
            end = row.ended(now)
            known = {*EXPLAINED, *CARRIED}
            wanted = dimensions_of(self._events.during(row.starts_at, end))
            self._causes.look(row, end, [name for name in wanted if name not in known])
        return touched

    def _take_up(self, mark: Mark) -> set[str]:
        """A mark, with what follows from it. Returns the groups that it is about."""
        group = self._book.group_of(mark.finding_id)
        rows = list(group.members.values()) if group is not None else self._recorded_with(mark.finding_id)
        self._marks.take_up(mark, rows)
        if mark.mark == "expected":
            # Those that were there: after a restart there are others of the same cause.
            meant = (row for row in rows if row.state == "open" and row.detected_at <= mark.at)
            self._steers += [Steer(row.series) for row in meant if row.kind != "driver"]
        return {group.group_id} if group is not None else set()

    def _forget(self, now: datetime) -> None:
        old = self._book.forget(now)
        self._speaking.forget(old)
        for group_id in old:
            self._silences.pop(group_id, None)
            self._dirty.discard(group_id)

    # -- what stands

    def _silence_of(self, group: Group, now: datetime) -> _Silence:
        """What holds for the finding that people would be told of holds for its group."""
        head = head_of(self._book.own(group.group_id))
        mark = self._marks.of(group.members)
        if mark is not None and mark.mark == "expected" and not self._marks.exceeding(mark, group.members.values()):
            said = f": {mark.note}" if mark.note else ""
            return _Silence(SILENCED + mark.finding_id, f"{mark.by} marked it as expected{said}")
        if mark is None and (earlier := self._marks.silencing(head)) is not None:
            return _Silence(SILENCED + earlier.finding_id, f"as much was marked as expected by {earlier.by} before")
        evidence = self._book.known[group.group_id].cause.evidence
        planned, events = planned_for(head, head.ended(now), self._events, evidence)
        names = ", ".join(f"{event.name} ({event.id})" for event in events)
        if events and explains(head, planned, events):
            return _Silence(silenced_by(events), f"it is planned: {names}")
        before = self._silences.get(group.group_id, _Silence())
        kept = before if before.kept.startswith(EVENT) or head.silenced_by.startswith(EVENT) else None
        if kept is not None and (evidence is None or not group.is_open):  # what is known no better stays as it was
            return _Silence(head.silenced_by or kept.kept, kept.words or "it was planned")
        if self._quiet and all(row.series.dims in self._quiet for row in group.members.values()):
            return _Silence(QUIET, "nobody is to be told of such series")
        return _Silence(exceeded=f"{names}, which does not explain all of it" if names else "")

    def _view(self, group: Group) -> View:
        known, own = self._book.known[group.group_id], self._book.own(group.group_id)
        cause, silence = known.cause, self._silences.get(group.group_id, _Silence())
        mark = self._marks.of(group.members)
        note = "" if mark is None else f"{mark.mark}, by {mark.by}{f': {mark.note}' if mark.note else ''}"
        head = head_of(own)
        until = self._book.until(head.finding_id)
        unread = cause.evidence is None and not known.dropped
        planned = unread and bool(self._events.during(head.starts_at, head.ends_at or max(until or head.at, head.at)))
        told = Told(*(until, cause.sentences, cause.compared, cause.shared, cause.excess_usd, silence.exceeded, note))
        return View(own, told, known.looked, silence.words, planned, self._judged)

    def _rows(self, changes: Sequence[Change], touched: Collection[str], now: datetime) -> list[FindingRow]:
        """Of each change its row, completed; and of each finding whose group says something else by now."""
        changed = {change.after.finding_id for change in changes}
        rows = [self._completed(change.after) for change in changes]
        for group_id in sorted(touched):
            group = self._book.groups.get(group_id)
            for finding_id, row in sorted(group.members.items()) if group is not None else ():
                after = self._completed(row)
                if finding_id not in changed and after != row:
                    rows.append(replace(after, version=row.version + 1, at=now))
        return rows

    def _completed(self, row: FindingRow) -> FindingRow:
        group = self._book.group_of(row.finding_id)
        if group is None:
            return row
        known, silence = self._book.known[group.group_id], self._silences.get(group.group_id, _Silence())
        return replace(row, group_id=group.group_id, silenced_by=silence.kept, cause=known.cause.document or row.cause)

    # -- what the store knows

    def _alerts(self) -> dict[str, tuple[str, int]]:
        """Status and level of our alerts, as the alerts job knows them."""
        rows = self._store.rows(
            "SELECT alert_id, argMax(status, position), argMax(level, position) FROM alert_events "
            f"WHERE startsWith(alert_id, '{PREFIX}') AND kind = 'anomaly' AND episode > 0 GROUP BY alert_id"
        )
        return {str(identity): (str(status), int(str(level))) for identity, status, level in rows}

    def _recorded_with(self, finding_id: str) -> list[FindingRow]:
        """The findings that have, or had, one cause with this one."""
        rows = self._store.rows(
            f"SELECT {', '.join(FIELDS)} FROM (SELECT {', '.join(FIELDS)} FROM anomaly_findings "
            "ORDER BY version DESC, at DESC LIMIT 1 BY finding_id) WHERE finding_id = {id:String} OR group_id IN "
            "(SELECT argMax(group_id, version) FROM anomaly_findings WHERE finding_id = {id:String} "
            "GROUP BY finding_id HAVING argMax(group_id, version) != '')",
            {"id": finding_id},
        )
        return [from_row(cast(Iterable[Any], row)) for row in rows]

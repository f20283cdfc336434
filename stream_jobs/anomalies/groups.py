"""The groups that there are, the findings that wait for one, and what is to be looked into next."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from stream_jobs.anomalies.causes import Cause
from stream_jobs.anomalies.evidence import conditions_of
from stream_jobs.anomalies.grouping import Group, home_by_name, home_of_series, in_order, pull, settle
from stream_jobs.anomalies.model import ZERO, Change, FindingRow
from stream_jobs.anomalies.own import own

WAITS_S: Final = 60.0
"""A finding of which nobody could say in this time what it belongs to is grouped by the names of series."""
KEPT: Final = timedelta(days=9)
"""A group is remembered for so long after its end: as long as late entries change its findings."""
GROWN: Final = 2
AGAIN_S: Final = 900.0
"""A cause is looked for again when the excess is GROWN times what it was, and so much later."""
MAX_TRIES: Final = 8
RETRY_S: Final = 10.0
"""What could not be read is read again after twice as long each time."""
MAX_EVIDENCE: Final = 32
"""So many groups keep what their stretch held, the last that were looked into; each has up to some MB."""


@dataclass(slots=True)
class Known:
    """What was found out about a group, and when."""

    cause: Cause
    excess: Decimal = ZERO  # of the finding that was looked into, when it was
    at_s: float | None = None  # None: not yet, or before a restart
    finding_id: str = ""  # which that was
    final: bool = False  # when it was over
    tries: int = 0
    dropped: bool = False  # there was evidence, and no room for it

    @property
    def looked(self) -> bool:
        """Whether its cause was looked for, be it before a restart."""
        return self.at_s is not None or bool(self.cause.document)


class GroupBook:
    """Used by one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.groups: dict[str, Group] = {}
        self.known: dict[str, Known] = {}
        self._rows: dict[str, FindingRow] = {}
        self._group_of: dict[str, str] = {}
        self._pending: dict[str, float] = {}  # since when, by finding
        self._until: dict[str, datetime] = {}  # of which time the figures of a finding are

    def begin(self, rows: Iterable[FindingRow]) -> None:
        """Those that are recorded: groups are as they were."""
        self.groups, self.known, self._rows, self._group_of, self._pending = {}, {}, {}, {}, {}
        self._until = {}
        for row in in_order(rows):
            self._rows[row.finding_id], self._until[row.finding_id] = row, row.known_until
            if row.group_id:
                self._join(row, row.group_id)
            else:
                self._pending[row.finding_id] = self._clock()
        for group_id, group in self.groups.items():
            lead = group.members.get(group_id) or next(iter(group.members.values()))
            document = next((row.cause for row in (lead, *group.members.values()) if row.cause), "")
            cause = Cause.kept(document, conditions_of(lead.series))
            group.conditions, self.known[group_id] = cause.conditions, Known(cause)

    def take(self, changes: Sequence[Change]) -> set[str]:
        """What became of findings; those of which the series tells whose they are have their group at once. Returns the
        groups that this changed. May be repeated."""
        touched: set[str] = set()
        for row in in_order(change.after for change in changes):
            known = self._rows.get(row.finding_id)
            self._rows[row.finding_id], self._until[row.finding_id] = row, row.known_until
            group_id = self._group_of.get(row.finding_id)
            if group_id is None and known is None and row.group_id in self.groups:
                group_id = row.group_id
            if group_id is None and (same := home_of_series(row, self.groups.values())) is not None:
                group_id = same.group_id
            if group_id is None:
                self._pending.setdefault(row.finding_id, self._clock())
                continue
            self._join(row, group_id)
            touched.add(group_id)
        return touched

    def group_of(self, finding_id: str) -> Group | None:
        group_id = self._group_of.get(finding_id)
        return None if group_id is None else self.groups[group_id]

    def own(self, group_id: str) -> Group:
        """The group without what goes on as a later group's."""
        group = self.groups[group_id]
        begin, end = group.starts_at, max(row.went_on_until for row in group.members.values())
        within = [other for other in self.groups.values() if begin < other.starts_at < end]
        return own(group, [(other, self._common(other)) for other in within]) if within else group

    def _common(self, group: Group) -> dict[str, str]:
        """What nearly all of its excess has in common."""
        known, first = self.known[group.group_id].cause, group.members.get(group.group_id)
        return {**known.shared, **group.conditions, **(conditions_of(first.series) if first is not None else {})}

    def row(self, finding_id: str) -> FindingRow | None:
        return self._rows.get(finding_id)

    def until(self, finding_id: str) -> datetime | None:
        """The end of the time that the figures of a finding are of."""
        return self._until.get(finding_id)

    def keep(self, row: FindingRow) -> None:
        """As it is recorded from now on."""
        self._rows[row.finding_id] = row
        if (group := self.group_of(row.finding_id)) is not None:
            group.members[row.finding_id] = row

    @property
    def waiting(self) -> list[FindingRow]:
        """Findings without a group, in the order in which they are looked into."""
        return in_order(self._rows[finding_id] for finding_id in self._pending)

    def next_look(self) -> FindingRow | None:
        """What is to be looked into next: what has no group, then groups whose cause is not known, has grown, or is
        over."""
        if waiting := self.waiting:
            return waiting[0]
        due = [(known.at_s or 0.0, group_id) for group_id, known in self.known.items() if self._is_due(group_id, known)]
        return None if not due else self._lead(self.own(min(due)[1]))

    def found(self, row: FindingRow, cause: Cause) -> set[str]:
        """What was found out about a finding. Returns the groups that this changed."""
        row = self._rows.get(row.finding_id, row)
        if row.finding_id in self._pending:
            return self._settle(row, cause)
        group = self.group_of(row.finding_id)
        if group is None:
            return set()
        self._know(group, row, cause)
        return {group.group_id}

    def give_up(self) -> set[str]:
        """What has waited for too long has a group by its name. Returns the groups that this changed."""
        touched = set()
        late = {finding_id for finding_id, since in self._pending.items() if self._clock() >= since + WAITS_S}
        for row in self.waiting:
            if row.finding_id in late:
                group = home_by_name(row, self.groups.values())
                touched.add(group.group_id if group is not None else self._new(row))
                if group is not None:
                    self._join(row, group.group_id)
        return touched

    def forget(self, now: datetime) -> set[str]:
        """Groups that have ended long ago. Returns them."""
        old = {
            group_id
            for group_id, group in self.groups.items()
            if not group.is_open and (group.ends_at or group.starts_at) + KEPT < now
        }
        for group_id in old:
            for finding_id in self.groups.pop(group_id).members:
                self._rows.pop(finding_id, None)
                self._until.pop(finding_id, None)
                self._group_of.pop(finding_id, None)
            self.known.pop(group_id, None)
        with_evidence = [known for known in self.known.values() if known.cause.evidence is not None]
        with_evidence.sort(key=lambda known: -(known.at_s or 0.0))
        for number, known in enumerate(with_evidence):
            if known.final or number >= MAX_EVIDENCE:
                known.cause, known.dropped = replace(known.cause, evidence=None), True
        return old

    def _settle(self, row: FindingRow, cause: Cause) -> set[str]:
        if cause.evidence is None:
            group = home_by_name(row, self.groups.values())
            if group is None:
                return {self._new(row, cause)}
            self._join(row, group.group_id)
            return {group.group_id}
        before = set(self.groups)
        others = [other for other in self.waiting if other.finding_id != row.finding_id]
        settled = settle(row, cause.conditions, others, self.groups, cause.evidence)
        for finding_id, group_id in settled.items():
            self._join(self._rows[finding_id], group_id)
        own = settled[row.finding_id]
        if own not in before:
            self._know(self.groups[own], row, cause)
        return set(settled.values())

    def _new(self, row: FindingRow, cause: Cause | None = None) -> str:
        """A group of its own."""
        self._join(row, row.finding_id)
        if cause is not None:
            self._know(self.groups[row.finding_id], row, cause)
        return row.finding_id

    def _join(self, row: FindingRow, group_id: str) -> None:
        if group_id not in self.groups:
            conditions = conditions_of(row.series)
            self.groups[group_id] = Group(group_id, pull(row), conditions)
            self.known[group_id] = Known(Cause(None, conditions))
        self.groups[group_id].members[row.finding_id] = row
        self._group_of[row.finding_id] = group_id
        self._pending.pop(row.finding_id, None)

    def _know(self, group: Group, row: FindingRow, cause: Cause) -> None:
        known = self.known.setdefault(group.group_id, Known(Cause(None, group.conditions)))
        known.at_s, known.excess, known.tries = self._clock(), row.excess, known.tries + 1
        known.finding_id, known.final = row.finding_id, not group.is_open
        if cause.evidence is not None:
            known.cause, known.dropped, group.conditions = cause, False, cause.conditions

    def _lead(self, group: Group) -> FindingRow:
        """What of a group's own is looked into: the finding that was, or that it is called after; while it goes on, one
        that is open."""
        rows = [row for row in group.members.values() if row.state == "open"] or list(group.members.values())
        by_id = {row.finding_id: row for row in rows}
        known = self.known[group.group_id].finding_id
        return by_id.get(known) or by_id.get(group.group_id) or in_order(rows)[0]

    def _is_due(self, group_id: str, known: Known) -> bool:
        # What is a group's own takes a while to tell, and most of those of nine days are over and looked into.
        if known.at_s is None:
            return not known.cause.document or (self.groups[group_id].is_open and self.own(group_id).is_open)
        if known.final or known.tries >= MAX_TRIES or self._clock() < known.at_s + RETRY_S:
            return False
        group = self.own(group_id)
        lead = self._lead(group)
        unread = known.cause.evidence is None and not known.dropped
        other = group.is_open and known.finding_id not in ("", lead.finding_id)
        wait_s = RETRY_S * 2**known.tries if unread or other else AGAIN_S
        if self._clock() < known.at_s + wait_s:
            return False
        grown = abs(lead.excess) >= GROWN * abs(known.excess) > 0
        return not group.is_open or unread or other or grown

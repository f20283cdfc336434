"""What people say of findings: `real` or `expected`; kept in `anomaly_marks`, and what follows from it.

**expected**: the alert of its cause is taken back, the level is adopted as the usual one, and for LASTS what is found
of the same series, in the same direction and measure, is told only when it is more than what was marked: when its
surprise is above the bar, which is the marked finding's surprise at first and falls evenly to nothing within LASTS, or
when it costs more than ROOM times as much a day. What is below is recorded, with the mark as the reason for silence.

**real**: marks `expected` of before no longer hold for the series, and the finding is told until it is over. It makes
nothing more sensitive.

Of several marks the last counts.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.anomalies.mark_terms import LASTS, WORDS, Word
from stream_jobs.anomalies.model import FindingRow, Series
from stream_jobs.base.instants import as_utc
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

ROOM: Final = Decimal(2)
SILENCED: Final = "mark:"
"""What `silenced_by` begins with where a mark did it; the marked finding follows."""
_MINUTE: Final = timedelta(minutes=1)
"""Findings begin with a minute."""
_Kind = tuple[Series, str, str]
"""Series, measure and direction."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A row of anomaly_marks."""

    finding_id: str
    mark: Word
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Bar:
    mark: Mark
    score: float
    per_day: Decimal  # without its sign

    def height(self, at: datetime) -> float:
        """In nats; 0 when it has ended."""
        return self.score * max(0.0, 1.0 - max(timedelta(0), at - self.mark.at) / LASTS)


class Marks:
    """The marks that still have an effect, and what they are about. Used by one thread."""

    def __init__(self) -> None:
        self._of: dict[str, Mark] = {}  # by finding
        self._bars: dict[_Kind, _Bar | None] = {}  # None: the last word was `real`
        self._seen: set[Mark] = set()

    def of(self, finding_ids: Iterable[str]) -> Mark | None:
        """The last mark of any of these findings, which have one cause."""
        found = [self._of[finding_id] for finding_id in finding_ids if finding_id in self._of]
        return max(found, key=lambda mark: (mark.at, mark.finding_id), default=None)

    def fresh(self, marks: Iterable[Mark]) -> list[Mark]:
        """Those that were not taken up yet, in the order in which they were made."""
        return sorted({*marks} - self._seen, key=lambda mark: (mark.at, mark.finding_id))

    def take_up(self, mark: Mark, rows: Iterable[FindingRow]) -> None:
        """A mark that is later than those before, with all findings of its cause."""
        self._seen.add(mark)
        self._of[mark.finding_id] = mark
        for row in rows:
            bar = _Bar(mark, row.score, abs(row.per_day)) if mark.mark == "expected" else None
            self._bars[row.series, row.measure, row.direction] = bar

    def silencing(self, row: FindingRow) -> Mark | None:
        """The earlier mark for which nobody is told of it."""
        bar = self._bars.get((row.series, row.measure, row.direction))
        if bar is None or row.score > bar.height(row.detected_at) or abs(row.per_day) > ROOM * bar.per_day:
            return None
        return bar.mark

    def exceeding(self, mark: Mark, rows: Iterable[FindingRow]) -> list[FindingRow]:
        """Of findings with one cause those that are more than what was marked: which began after it, in the minute in
        which it was marked at the earliest; and of those before, what costs more than ROOM times as much by now."""
        return [
            row
            for row in rows
            if (self.silencing(row) is None if row.starts_at + _MINUTE > mark.at else self._is_dearer(row))
        ]

    def _is_dearer(self, row: FindingRow) -> bool:
        bar = self._bars.get((row.series, row.measure, row.direction))
        return bar is not None and abs(row.per_day) > ROOM * bar.per_day


def read_marks(store: StoreClient, now: datetime) -> list[Mark]:
    """Those that may still have an effect, oldest first. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT finding_id, mark, note, by, at FROM anomaly_marks WHERE at > {since:DateTime64(6, 'UTC')} "
        "ORDER BY at, finding_id",
        {"since": now - LASTS},
    )
    return [
        Mark(str(finding), mark, str(note), str(by), as_utc(cast(datetime, at)))
        for finding, mark, note, by, at in rows
        if mark in WORDS
    ]


def write_mark(store: StoreClient, finding_id: str, mark: Word, note: str, by: str) -> Mark:
    """Keep what somebody says of a finding. Raises StoreUnavailableError."""
    made = Mark(finding_id, mark, note, by, store.now())
    row: Mapping[str, Any] = {name: getattr(made, name) for name in Mark.__dataclass_fields__}
    token = hashlib.sha256("\0".join((finding_id, mark, note, by, made.at.isoformat())).encode()).hexdigest()
    insert(store.client, "anomaly_marks", arrow_table("anomaly_marks", [dict(row)]), token)
    return made


def the_findings(store: StoreClient, given: str) -> Sequence[tuple[str, str, str]]:
    """(finding, group, state) of those whose id, group or alert begins with what was given. Raises
    StoreUnavailableError."""
    wanted = given.rpartition("/")[2]
    rows = store.rows(
        "SELECT finding_id, argMax(group_id, version) AS grouped, argMax(state, version) FROM anomaly_findings "
        "GROUP BY finding_id HAVING startsWith(finding_id, {id:String}) OR startsWith(grouped, {id:String}) "
        "ORDER BY finding_id != grouped, max(detected_at) DESC, finding_id LIMIT 100",
        {"id": wanted},
    )
    return [(str(finding), str(group), str(state)) for finding, group, state in rows]

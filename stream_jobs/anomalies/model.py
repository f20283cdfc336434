"""The words of the job: series by name, findings as they are recorded, and what changed of them.

A finding is a row that is only ever appended: of a `finding_id` the row with the highest `version` counts. Its id is
made of the series, the direction and where it was found, so who finds it again after a restart finds the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, Protocol

from stream_jobs.detection.model import Closing, Direction, FindingKind, Severity, State

COST: Final = "effective_cost"
EVENTS: Final = "events"
TOTAL: Final = "total"
ID_CHARS: Final = 20
ZERO: Final = Decimal(0)
KNOWN_UNTIL: Final = "known_until"
"""In the document of an open finding: the end of the time that its figures are of. The view `anomalies` reads it."""
WENT_ON_UNTIL: Final = "went_on_until"
"""In the document of an open finding that is as usual for the time being: when its excess last went on."""


class Series(NamedTuple):
    """What is watched: the entries that have these values. Both empty: everything."""

    dims: tuple[str, ...] = ()  # names of series.measures.DIMENSIONS, or labels; in the order of the settings
    vals: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people: `total`, `user_id=u-17`, `team=search, model=gpt-5`."""
        return ", ".join(f"{dim}={value}" for dim, value in zip(self.dims, self.vals, strict=True)) or TOTAL


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One row of `anomaly_findings`. Money in USD, of `events` a number, of a driver its unit
    (but `per_day` is USD: the money at stake); all to 12 places."""

    finding_id: str
    version: int
    at: datetime  # when it was recorded, by the store's clock
    state: State
    kind: FindingKind
    direction: Direction
    scale: str
    measure: str  # COST, EVENTS or the name of a driver
    series: Series
    starts_at: datetime
    detected_at: datetime
    ends_at: datetime | None
    expected: Decimal
    actual: Decimal
    low: Decimal
    high: Decimal
    per_day: Decimal
    score: float
    severity: Severity
    closing: Closing | Literal[""] = ""
    group_id: str = ""  # of the telling side, as the three below
    silenced_by: str = ""
    cause: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def excess(self) -> Decimal:
        return self.actual - self.expected

    @property
    def known_until(self) -> datetime:
        """The end of the time that its figures are of."""
        if self.ends_at is not None:
            return self.ends_at
        said = self.document.get(KNOWN_UNTIL)
        return max(self.at if said is None else datetime.fromisoformat(str(said)), self.detected_at)

    @property
    def is_calm(self) -> bool:
        """Whether it is open though nothing unusual has come for minutes: nobody knows yet whether it is over."""
        return self.ends_at is None and WENT_ON_UNTIL in self.document

    @property
    def went_on_until(self) -> datetime:
        """The end of the time in which its excess went on, as far as is known."""
        if self.is_calm:
            return max(datetime.fromisoformat(str(self.document[WENT_ON_UNTIL])), self.starts_at)
        return self.known_until

    def ended(self, until: datetime) -> datetime:
        """The end of the stretch that it is of, where it goes on until then: not before it was told."""
        if self.is_calm:
            return self.went_on_until
        return self.ends_at or max(until, self.detected_at)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a finding: opened (`before` is None), went on, was amended, or was closed."""

    before: FindingRow | None
    after: FindingRow

    @property
    def opened(self) -> bool:
        return self.before is None

    @property
    def closed(self) -> bool:
        return self.after.state == "closed" and (self.before is None or self.before.state == "open")


class Steer(NamedTuple):
    """What people know of a series, for the detector: the level that it has now is its normal (a finding of it was
    marked as expected)."""

    series: Series


class Telling(Protocol):
    """Who groups, explains and tells findings. Every call comes from the job's one thread, may raise RetryError, and
    is then repeated with the same arguments.

    The order of a cycle: `steer` ▸ judged minutes ▸ `prepare` ▸ rows into anomaly_findings ▸ `tell`. A crash after the
    rows and before `tell` is made good by `begin`, which is given what was recorded lately, open and closed.
    """

    def begin(self, recorded: Sequence[FindingRow], now: datetime) -> None:
        """After a start: the last rows of what is open, and of what was closed within the last hours. What of this was
        perhaps not told is told with the next `tell`, under the same ids."""

    def steer(self, minute: datetime) -> list[Steer]:
        """What is to be known before the minute that begins then is judged, and was not said for an earlier one. It is
        written down before it is used, and a restart uses what was written."""

    def prepare(self, changes: Sequence[Change], now: datetime) -> list[FindingRow]:
        """The rows to record: `after` of each with group_id, silenced_by and cause, and further rows of findings
        whose group has changed by this (their `version` raised by one). Called with no changes, too, every few
        seconds: marks and planned events may have changed. Writes and sends nothing."""

    def tell(self, rows: Sequence[FindingRow], now: datetime) -> None:
        """These rows are recorded: send what people should hear. Called with none, too."""

    def close(self) -> None:
        """Stop; may be called twice."""


class Silent:
    """A Telling that tells nobody."""

    def begin(self, recorded: Sequence[FindingRow], now: datetime) -> None:
        """Implements Telling."""

    def steer(self, minute: datetime) -> list[Steer]:  # noqa: ARG002
        """Implements Telling."""
        return []

    def prepare(self, changes: Sequence[Change], now: datetime) -> list[FindingRow]:  # noqa: ARG002
        """Implements Telling."""
        return [change.after for change in changes]

    def tell(self, rows: Sequence[FindingRow], now: datetime) -> None:
        """Implements Telling."""

    def close(self) -> None:
        """Implements Telling."""


def finding_id(series: Series, which: str, detected_minute: int) -> str:
    """The same wherever the same is found. `which`: tells those apart that may be found of a series in one minute."""
    parts = (*series.dims, *series.vals, which, str(detected_minute))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=ID_CHARS // 2).hexdigest()

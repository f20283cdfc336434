"""Reading what was found, for people: findings as they stand, their history, their marks, and what belongs together.

All of it comes from the views `anomalies`, `anomalies_open` and `anomaly_history` (sql/views).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import as_utc
from stream_jobs.output.escape import escaped
from stream_jobs.series.measures import label_parameters
from stream_jobs.series.sums import scope_condition
from stream_jobs.store.client import StoreClient

MAX_LIKE: Final = 10
MAX_GROUP: Final = 50
MOST_SHOWN: Final = 80
"""Characters of what was asked for, in an answer."""
COLUMNS: Final = (
    *("finding_id", "version", "changed_at", "state", "kind", "direction", "scale", "measure", "dims", "vals"),
    *("starts_at", "detected_at", "ends_at", "expected", "actual", "low", "high", "per_day", "score", "severity"),
    *("known_until", "is_calm", "closing", "group_id", "silenced_by", "cause"),
    *("mark", "note", "marked_by", "marked_at"),
)
_GRAVEST: Final = (
    "state = 'closed', indexOf(['critical', 'error', 'warning', 'info'], severity), "
    "abs(actual - expected) DESC, detected_at DESC, finding_id"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A finding as it stands. Amounts are of its measure: USD, or what is counted. Instants are UTC."""

    finding_id: str
    version: int
    changed_at: datetime
    state: str  # open, closed
    kind: str  # spike, shift, ramp, drop, silence, dear_request, new_series, driver
    direction: str  # up, down
    scale: str  # the window that told it
    measure: str  # effective_cost, events, or a driver
    series: Mapping[str, str]  # dimension to value; empty: the total
    starts_at: datetime
    detected_at: datetime
    ends_at: datetime | None
    expected: Decimal  # from starts_at until known_until
    actual: Decimal
    low: Decimal
    high: Decimal
    per_day: Decimal
    score: float  # nats
    severity: str
    known_until: datetime  # the end of the time that actual and expected are of
    is_calm: bool = False  # it is open, and has been as usual since known_until
    closing: str = ""  # over, new_normal, corrected, expected
    group_id: str = ""
    silenced_by: str = ""  # a planned event, or a mark; empty: people are told
    cause: str = field(default="", repr=False)  # JSON of what explains it
    mark: str = ""  # real, expected, or empty
    note: str = ""
    marked_by: str = ""
    marked_at: datetime | None = None

    @property
    def excess(self) -> Decimal:
        return self.actual - self.expected

    @property
    def is_open(self) -> bool:
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which findings to list: open ones, or all; of series that these conditions hold for."""

    closed: bool = False  # those that are over, too
    since: datetime | None = None  # only what was there then or later
    where: Mapping[str, Condition] = field(default_factory=dict)  # a series that lacks a dimension has '' there
    limit: int = 50


def find(store: StoreClient, wanted: Filter) -> list[Found]:
    """Those that are open first, of these the gravest, of these the largest."""
    condition, parameters = scope_condition(wanted.where, column=_value_of)
    if wanted.since is not None:
        condition += " AND (ends_at IS NULL OR ends_at > {since:DateTime64(6, 'UTC')})"
        parameters["since"] = wanted.since
    view = "anomalies" if wanted.closed else "anomalies_open"
    sql = f"SELECT {', '.join(COLUMNS)} FROM {view} WHERE 1{condition} ORDER BY {_GRAVEST} LIMIT {wanted.limit:d}"
    return [found_of(row) for row in store.rows(sql, parameters)]


def the_one(store: StoreClient, text: str) -> Found:
    """The finding whose id begins with the text, or the gravest of the cause whose id does, as alerts name it. One that
    the text is the whole id of comes before all others. Raises ConfigError where there is none, or more than one."""
    wanted = text.rpartition("/")[2]
    whole = "finding_id = {id:String} OR group_id = {id:String}"
    found = _rows(store, whole, {"id": wanted}) if wanted else []
    if not found and wanted:
        begins = "startsWith(finding_id, {id:String}) OR startsWith(group_id, {id:String})"
        found = _rows(store, begins, {"id": wanted})
    if not found:
        raise ConfigError(f"no finding {text[:MOST_SHOWN]!r}; see 'spendstream anomalies list --all'")
    begun = [one for one in found if one.finding_id.startswith(wanted)]
    exact = [one for one in found if one.finding_id == wanted]
    causes = list(dict.fromkeys(one.group_id or one.finding_id for one in found))
    ids = [one.finding_id for one in begun]
    if exact or (len(causes) == 1 and len(ids) <= 1) or wanted in causes:
        return (exact or begun or found)[0]
    shown = ", ".join(map(escaped, (ids or causes)[:MAX_LIKE]))
    raise ConfigError(f"{text[:MOST_SHOWN]!r} is the beginning of several ids; give one of: {shown}")


def group_of(store: StoreClient, found: Found) -> list[Found]:
    """The other findings of the same cause, the gravest first."""
    if not found.group_id:
        return []
    condition = "group_id = {group:String} AND finding_id != {id:String}"
    return _rows(store, condition, {"group": found.group_id, "id": found.finding_id})


def history_of(store: StoreClient, finding_id: str) -> list[dict[str, Any]]:
    """What became of it and what people said, the beginning first."""
    columns = ("at", "change", "severity", "expected", "actual", "note", "by")
    rows = store.rows(
        f"SELECT {', '.join(f'`{name}`' for name in columns)} FROM anomaly_history WHERE finding_id = {{id:String}} "
        "ORDER BY at, version",
        {"id": finding_id},
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _rows(store: StoreClient, condition: str, parameters: dict[str, object]) -> list[Found]:
    sql = f"SELECT {', '.join(COLUMNS)} FROM anomalies WHERE {condition} ORDER BY {_GRAVEST} LIMIT {MAX_GROUP}"
    return [found_of(row) for row in store.rows(sql, parameters)]


def found_of(row: Sequence[Any]) -> Found:
    """A row of COLUMNS."""
    named = dict(zip(COLUMNS, row, strict=True))
    dims, vals = named.pop("dims"), named.pop("vals")
    for name in ("changed_at", "known_until", "starts_at", "detected_at", "ends_at", "marked_at"):
        named[name] = None if named[name] is None else as_utc(named[name])
    named["is_calm"] = bool(named["is_calm"])
    return Found(series=dict(zip(dims, vals, strict=False)), **named)


def _value_of(dimension: str) -> str:
    """The expression of a series' value, '' where it is not cut by the dimension."""
    parameters = label_parameters([dimension])
    name = f"'{dimension}'" if not parameters else f"concat('labels.', {{{next(iter(parameters))}:String}})"
    return f"vals[indexOf(dims, {name})]"

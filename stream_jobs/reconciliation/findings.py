"""What a pass found about one event, as rows for the ledger and for the report. Plain functions."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from stream_jobs.ledger.amounts import amounts
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.reconciliation.reports import Report, report_of
from stream_jobs.reconciliation.standing import RUN_PREFIX, Entry, Standing, missing
from stream_jobs.store.fitting import as_table
from stream_jobs.store.tables import arrow_table

BOOKED_TWICE: Final = "booked_twice"
SUPERSEDED: Final = "superseded_revision"
RESPONSE_ID: Final = "response_id"
REINSTATED: Final = "reinstated"
FOREIGN: Final = "foreign_revision"
_COSTS: Final = ("list_cost", "contracted_cost", "effective_cost")
_POSITION: Final = ("topic_id", "partition", "offset")


@dataclass(frozen=True, slots=True)
class Finding:
    """One event whose entries do not come to what they should, and what puts it right."""

    event: Standing
    counts: Report  # the report that counts: the event's own, or another source's
    cause: str
    postings: tuple[dict[str, Any], ...]

    @property
    def events(self) -> int:
        return sum(row["events"] for row in self.postings)

    @property
    def source(self) -> str:
        """Who sent what is put right: the event's own source, or the one whose revision it was not."""
        foreign = (row["source"] for row in self.postings if _is_foreign(row, self.event))
        return str(next(foreign, self.event.kept["source"]) if self.cause == FOREIGN else self.event.kept["source"])

    @property
    def copies(self) -> list[dict[str, Any]]:
        """Postings for charges from the same offset as the one that counts, with the time when those were booked."""
        return [row for row in self.postings if self.cause == BOOKED_TWICE and _same_offset(row, self.event.kept)]

    def cost(self, name: str) -> Decimal:
        return sum((row[name] or Decimal(0) for row in self.postings), Decimal(0))


def finding(event: Standing, double_of: Report | None) -> Finding | None:
    """None when nothing is to be posted. `double_of` is the report that counts in the event's place, if one does."""
    postings = missing(event, counts=double_of is None)
    if not postings:
        return None
    for row in postings:
        row["reason_text"] = _reason(row, event, double_of)
    newest = [row for row in postings if row["revision"] == event.revision]
    foreign = any(_is_foreign(row, event) for row in postings)
    if double_of is not None and newest:
        cause = RESPONSE_ID
    elif foreign:
        cause = FOREIGN
    elif any(row["events"] < 0 for row in newest):
        cause = BOOKED_TWICE
    else:
        cause = REINSTATED if newest else SUPERSEDED
    return Finding(event, double_of or report_of(event), cause, tuple(postings))


def _is_foreign(row: Entry, event: Standing) -> bool:
    """Whether it takes back a revision that another source booked under the event's id, and that would have counted."""
    kept = event.kept
    return bool(row["events"] < 0 and row["source"] != kept["source"] and row["revision"] > event.revision)


def _reason(row: dict[str, Any], event: Standing, double_of: Report | None) -> str:
    if _is_foreign(row, event):
        return f"not the sender's: {row['source']} may not correct an event of {event.kept['source']}"
    if row["revision"] < event.revision:
        return f"superseded: revision {event.revision} counts"
    if double_of is not None:
        return f"reported twice: event {double_of.event_id} of {double_of.source} counts"
    if row["events"] < 0:
        kept = event.kept
        return f"booked twice: the charge from {kept['topic_id']}/{kept['partition']}/{kept['offset']} counts"
    return "counts after all"


def _same_offset(row: Entry, other: Entry) -> bool:
    return all(row[name] == other[name] for name in ("revision", *_POSITION))


@dataclass(frozen=True, slots=True)
class Batch:
    """One insert of postings; a `Plan` of `ledger.posting`. `token` is the same for the same findings in the same state
    of the ledger. `entries` have every column: reconciliation repeats entries, it invents none."""

    token: str
    run: int
    at: datetime
    entries: pa.Table
    findings: pa.Table


def batch(found: Sequence[Finding], run: int, at: datetime) -> Batch:
    """The rows of these findings, all booked at one instant."""
    rows = [row | {"booked_at": at, "adjustment_run": f"{RUN_PREFIX}{run}"} for item in found for row in item.postings]
    report = arrow_table("reconciliation_findings", [_report_row(item, run, at) for item in found])
    return Batch(_token(found), run, at, as_table(LEDGER_COLUMNS, rows), report)


def _token(found: Iterable[Finding]) -> str:
    # The number of entries is part of it: what is taken back, put back and taken back again is three postings, of which
    # the third must not be taken for a repetition of the first.
    digest = hashlib.sha256()
    for item in found:
        state = (
            item.event.event_id,
            len(item.event.entries),
            [(row["revision"], amounts(row)) for row in item.postings],
        )
        digest.update(repr(state).encode())
    return f"reconciliation:{digest.hexdigest()}"


def _report_row(item: Finding, run: int, at: datetime) -> dict[str, Any]:
    kept = item.event.kept
    return {
        "event_id": item.event.event_id,
        "found_at": at,
        "turn": run,
        "cause": item.cause,
        "revision": item.event.revision,
        "source": item.source,
        "provider": kept["provider"],
        "response_id": kept["response_id"],
        "kept_event_id": item.counts.event_id,
        "kept_source": item.counts.source,
        "kept_booked_at": item.counts.booked_at,
        **{name: kept[name] for name in _POSITION},
        "copies": -sum(row["events"] for row in item.copies),
        "copies_booked_at": item.copies[0]["booked_at"] if item.copies else kept["booked_at"],
        "events": item.events,
        "entries": len(item.postings),
        **{name: item.cost(name) for name in _COSTS},
    }

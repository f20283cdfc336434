"""One run at a time, and the record of every run.

Runs are numbered. A run is opened by inserting the row of the next one with its number as the token: of two workers
that try at once ClickHouse drops one's row, and reading back says whose. A long run says now and then that it lives.
One that died leaves its run open; after LEASE the next may follow.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.base.instants import as_utc
from stream_jobs.ledger.runs import open_run
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

LEASE: Final = timedelta(minutes=5)
"""A run that has not been heard of for so long is dead, or must behave as if it were."""
SIGN_OF_LIFE: Final = timedelta(minutes=1)


class BusyError(SpendstreamError):
    """Another run is open."""


class LostLeaseError(SpendstreamError):
    """Another run was opened while this one was: this process slept for longer than the lease."""


@dataclass(frozen=True, slots=True)
class Run:
    """An open run. `since` is the beginning of what it looks at."""

    number: int
    owner: str
    trigger: str
    since: datetime


@dataclass(slots=True)
class Tally:
    """What a run came to."""

    examined: int = 0
    findings: int = 0
    entries: int = 0
    list_cost: Decimal = Decimal(0)
    effective_cost: Decimal = Decimal(0)


class Runs:
    """See the module. Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"

    def last_seen(self) -> datetime | None:
        """Everything booked before this instant was seen by a run that ended well. None if there was none."""
        rows = self._store.rows(
            "SELECT turn, min(at) FROM reconciliation_runs WHERE state = 'open' AND turn IN "
            "(SELECT turn FROM reconciliation_runs WHERE state = 'done') GROUP BY turn ORDER BY turn DESC LIMIT 1"
        )
        return as_utc(cast(datetime, rows[0][1])) if rows else None

    def open(self, trigger: str, since: datetime, now: datetime) -> Run:
        """Raises BusyError while another run is open and younger than LEASE."""
        number, state, at = self._last()
        if state == "open" and now - at < LEASE:
            raise BusyError(f"another reconciliation is under way (seen at {at:%H:%M:%S} UTC); try again in a moment")
        run = Run(number + 1, self._owner, trigger, since)
        row = _row(run, "open", now, Tally())
        if not open_run(self._store, "reconciliation_runs", row, _token(run, "open"), "owner"):
            raise BusyError("another reconciliation began at the same moment; try again in a moment")
        return run

    def check(self, run: Run, now: datetime) -> None:
        """Before anything is written, and now and then: raises LostLeaseError if a later run was opened."""
        number, _, at = self._last()
        if number != run.number:
            raise LostLeaseError(f"reconciliation {run.number} was overtaken by {number}; it posts nothing more")
        if now - at >= SIGN_OF_LIFE:
            self._insert(run, _row(run, "open", now, Tally()), now.isoformat())

    def close(self, run: Run, now: datetime, tally: Tally, failure: str = "") -> None:
        self._insert(run, _row(run, "failed" if failure else "done", now, tally, failure), "end")

    def _last(self) -> tuple[int, str, datetime]:
        rows = self._store.rows(
            "SELECT turn, argMax(state, (state != 'open', at)), max(at) FROM reconciliation_runs "
            "WHERE turn = (SELECT max(turn) FROM reconciliation_runs) GROUP BY turn"
        )
        if not rows:
            return 0, "done", datetime.min.replace(tzinfo=UTC)
        number, state, at = cast(tuple[Any, ...], rows[0])
        return int(number), str(state), as_utc(at)

    def _insert(self, run: Run, row: dict[str, Any], sign: str) -> None:
        rows = arrow_table("reconciliation_runs", [row])
        insert(self._store.client, "reconciliation_runs", rows, _token(run, sign))


def _token(run: Run, sign: str) -> str:
    return f"reconciliation turn {run.number} {sign}"


def _row(run: Run, state: str, at: datetime, tally: Tally, detail: str = "") -> dict[str, Any]:
    return {
        "turn": run.number,
        "state": state,
        "at": at,
        "owner": run.owner,
        "worker": socket.gethostname(),
        "trigger": run.trigger,
        "since": run.since,
        "examined": tally.examined,
        "findings": tally.findings,
        "entries": tally.entries,
        "list_cost": tally.list_cost,
        "effective_cost": tally.effective_cost,
        "detail": detail,
    }

"""Runs in ClickHouse: which there were, which is wanted, and why there is none newer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from stream_jobs.base.instants import EPOCH, as_utc, unix_micros
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.methods import VERSION
from stream_jobs.store.client import StoreClient
from stream_jobs.store.fitting import printable
from stream_jobs.store.tables import arrow_table, insert

Status = Literal["requested", "running", "complete", "failed", "stale"]
STEPS: Final[tuple[Step, ...]] = ("hour", "day")


@dataclass(frozen=True, slots=True)
class LastRun:
    """The latest complete one of a grain."""

    run: datetime
    known_until: datetime
    version: str
    series: int
    said: int  # of these, such of which something is said


class Runs:
    """Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def last(self, grain: Step) -> LastRun | None:
        rows = self._store.rows(
            "SELECT run, known_until, version, series, series - refused FROM forecast_runs "
            "WHERE grain = {grain:String} AND status = 'complete' ORDER BY run DESC LIMIT 1",
            {"grain": grain},
        )
        for run, known_until, version, series, said in cast(list[tuple[datetime, datetime, str, int, int]], rows):
            return LastRun(as_utc(run), as_utc(known_until), version, series, said)
        return None

    def requested_after(self, grain: Step, run: datetime | None, now: datetime) -> bool:
        """Whether somebody asked for one since that run began, and up to now."""
        ((count,),) = self._store.rows(
            "SELECT count() FROM forecast_runs WHERE grain = {grain:String} AND status = 'requested' "
            "AND run > fromUnixTimestamp64Micro({run:Int64}, 'UTC') "
            "AND run <= fromUnixTimestamp64Micro({now:Int64}, 'UTC')",
            {"grain": grain, "run": _micros(run), "now": unix_micros(now)},
        )
        return bool(count)

    def stale_why(self, grain: Step, run: datetime | None) -> str:
        """What was last said of why there is none newer than that run; empty: nothing."""
        rows = self._store.rows(
            "SELECT error FROM forecast_runs WHERE grain = {grain:String} AND status IN ('stale', 'failed') "
            "AND run > fromUnixTimestamp64Micro({run:Int64}, 'UTC') ORDER BY at DESC LIMIT 1",
            {"grain": grain, "run": _micros(run)},
        )
        return str(rows[0][0]) if rows else ""

    def begins(self, lease: Lease) -> None:
        self._write(lease, "running", lease.run)

    def completes(self, lease: Lease, at: datetime, counts: Mapping[str, int]) -> None:
        """The last row of a run: from now on it is what is forecast."""
        self._write(lease, "complete", at, **counts)

    def fails(self, lease: Lease, at: datetime, why: str) -> None:
        self._write(lease, "failed", at, error=why)

    def is_stale(self, lease: Lease, why: str) -> None:
        """There should have been a run by now."""
        self._write(lease, "stale", lease.run, error=why)

    def _write(self, lease: Lease, status: Status, at: datetime, **facts: Any) -> None:
        row = {
            **{"run": lease.run, "grain": lease.grain, "status": status, "at": at},
            **{"known_until": lease.known_until, "due_at": lease.due_at},
            **dict.fromkeys(("series", "refused", "budgets"), 0),
            "duration_ms": max(0, int((at - lease.run).total_seconds() * 1000)),
            **{"version": VERSION, "error": "", "by": ""},
            **facts,
        }
        row["error"] = printable(str(row["error"]))
        token = f"{lease.token('forecast_runs', 0)} {status}"
        insert(self._store.client, "forecast_runs", arrow_table("forecast_runs", [row]), token, lease.not_after)


def request(store: StoreClient, grain: Step, by: str) -> datetime:
    """Ask for a run; returns when that was, by the store's clock. A run that began later answers it."""
    now = store.now()
    row = {
        **{"run": now, "grain": grain, "status": "requested", "at": now, "known_until": EPOCH, "due_at": now},
        **dict.fromkeys(("series", "refused", "budgets", "duration_ms"), 0),
        **{"version": "", "error": "", "by": printable(by)[:128]},
    }
    token = f"forecast_runs requested {grain} {by} {now.isoformat()}"
    insert(store.client, "forecast_runs", arrow_table("forecast_runs", [row]), token)
    return now


def _micros(run: datetime | None) -> int:
    return 0 if run is None else unix_micros(run)

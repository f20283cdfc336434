"""From one assignment of the feed to the next: when a run is due, and what is said when there can be none.

A cycle: how far the ledger is known ▸ what became of the run under way ▸ whether one is due. The run itself is made in
a thread of its own, nicer than all others, so a cycle never waits for it; with rests, so others hardly do, unless
somebody waits for it.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.base.instants import EPOCH, time_zone, unix_micros
from stream_jobs.completeness.ledger_reach import LedgerReach
from stream_jobs.completeness.log_look import LogLooker
from stream_jobs.forecasting.model import Told
from stream_jobs.forecasts.foreknowledge import Foreknowledge
from stream_jobs.forecasts.grid import Grid, Step
from stream_jobs.forecasts.lease import Lease, leased
from stream_jobs.forecasts.methods import VERSION
from stream_jobs.forecasts.run import Counts, ForecastRun, StoppedError, no_rest
from stream_jobs.forecasts.runs import STEPS, LastRun, Runs
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.forecasts.slow_members import Kept
from stream_jobs.runtime.due import Due
from stream_jobs.runtime.metrics import (
    FORECAST_BEHIND,
    FORECAST_RUN_SECONDS,
    FORECAST_RUNS,
    FORECAST_SERIES,
    FORECAST_STALE,
)
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import ServerClock

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
REQUESTS_S: Final = 5.0
AGAIN_AFTER: Final = timedelta(minutes=1)
"""After a run that failed."""
ON_START: Final = timedelta(hours=1)
"""A job that begins makes a run of days, unless the last one is not older than that."""
PATIENCE: Final = timedelta(minutes=1)
"""A job that begins, or was suspended, has so long to make what is missing before people hear that it is."""
NICE: Final = 10


@dataclass(frozen=True, slots=True)
class UnderWay:
    lease: Lease
    result: Future[Counts]


class Running:
    """Used by one thread. Raises what RetryError is: the next call goes on where it stopped."""

    def __init__(
        self,
        store: StoreClient,
        settings: ForecastsSettings,
        looker: LogLooker,
        config_dir: Path | None,
        now: Callable[[], datetime] | None = None,
        foreknowledge: Foreknowledge | None = None,
        kept: Kept | None = None,
        resting: Callable[[], Told] = lambda: no_rest,
    ) -> None:
        """`resting`: see ForecastRun."""
        self._store = store
        self._settings = settings
        self._now = now or ServerClock(store).now
        self._reach = LedgerReach(store, looker, timedelta(seconds=settings.grace_s))
        self._runs = Runs(store)
        self._run = ForecastRun(store, settings, config_dir, foreknowledge, kept, resting)
        self._grids: dict[Step, Grid] = {"hour": Grid("hour"), "day": Grid("day", time_zone(settings.zone))}
        self._last: dict[Step, LastRun | None] = {grain: self._runs.last(grain) for grain in STEPS}
        self._said: dict[Step, str] = {
            grain: self._runs.stale_why(grain, _run_of(self._last[grain])) for grain in STEPS
        }
        self._failed: dict[Step, tuple[datetime, str]] = {}
        self._late_since: dict[Step, datetime] = {}
        self._begun = self._now()
        self._look, self._stale = Due(LOOK_S), Due(LOOK_S)
        self._requests: dict[Step, Due] = {grain: Due(REQUESTS_S) for grain in STEPS}
        self._empty: dict[Step, Due] = {grain: Due(REQUESTS_S) for grain in STEPS}
        self._stopping = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="forecasts-run", initializer=_be_nice)
        self._under_way: UnderWay | None = None

    def handle(self) -> None:
        """One cycle."""
        now = self._now()
        if self._look():
            self._reach.look(now)
            FORECAST_BEHIND.set(max(0.0, (now - self._reach.known_until).total_seconds()))
        if self._under_way is not None:
            self._collect(now)
        for grain in STEPS:
            if self._under_way is None and self._is_due(grain, now):
                self._start(grain, now)
        if self._stale():
            for grain in STEPS:
                if self._wanted(grain):
                    self._tell_stale(grain, now)

    @property
    def idle(self) -> bool:
        """Whether no run is under way."""
        return self._under_way is None

    def close(self) -> None:
        """Stop. A run that is under way writes nothing more, once its thread has heard of it; see lease.py."""
        self._stopping.set()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._reach.close()

    # -- runs

    def _wanted(self, grain: Step) -> bool:
        return self._settings.hourly if grain == "hour" else self._settings.daily

    def _is_due(self, grain: Step, now: datetime) -> bool:
        known = self._reach.known_until
        if known == EPOCH or (grain in self._failed and now - self._failed[grain][0] < AGAIN_AFTER):
            return False
        last, grid = self._last[grain], self._grids[grain]
        if self._wanted(grain):
            if last is None or last.version != VERSION or grid.cell_at(known) > grid.cell_at(last.known_until):
                return True
            if grain == "day" and last.run < self._begun - ON_START:
                return True
            if not last.said and now - last.run > AGAIN_AFTER and self._empty[grain]() and self._has_more(grain, last):
                return True
        return self._requests[grain]() and self._runs.requested_after(grain, _run_of(last), now)

    def _has_more(self, grain: Step, last: LastRun) -> bool:
        """Of a new installation nothing could be said yet: whether history has been loaded since, or (days can be told
        by the hours of a first one) another hour of something is over."""
        known, hours = self._reach.known_until, self._grids["hour"]
        if grain == "day" and hours.cell_at(known) > hours.cell_at(last.known_until):
            return self._is_anything_before(hours.start(hours.cell_at(known)))
        grid = self._grids[grain]
        return not last.series and self._is_anything_before(grid.start(grid.cell_at(known)))

    def _is_anything_before(self, instant: datetime) -> bool:
        question = "SELECT 1 FROM cost_1h WHERE hour < fromUnixTimestamp64Micro({at:Int64}, 'UTC') LIMIT 1"
        return bool(self._store.rows(question, {"at": unix_micros(instant)}))

    def _start(self, grain: Step, now: datetime) -> None:
        lease, last = self._lease(grain, now, self._reach.known_until), self._last[grain]
        is_awaited = last is None or not last.said or self._runs.requested_after(grain, last.run, now)
        result = self._thread.submit(self._run.make, lease, self._now, self._stopping.is_set, is_awaited)
        self._under_way = UnderWay(lease, result)

    def _lease(self, grain: Step, now: datetime, known_until: datetime) -> Lease:
        settings = self._settings
        return leased(now, self._grids[grain], known_until, limit_s=settings.limit_s, slack_s=settings.stale_after_s)

    def _collect(self, now: datetime) -> None:
        assert self._under_way is not None
        lease, result = self._under_way.lease, self._under_way.result
        if not result.done():
            return
        self._under_way = None
        grain = lease.grain
        try:
            counts = result.result()
        except StoppedError:
            return
        except Exception as error:
            FORECAST_RUNS.labels(grain, "failed").inc()
            known = isinstance(error, SpendstreamError)
            why = str(error) if known else f"our own code fails on it, see the log: {error!r}"
            log.error("no forecast by the %s now: %s", grain, why, exc_info=None if known else error)
            self._failed[grain] = now, why
            with contextlib.suppress(SpendstreamError):  # people hear of it by how old the last one is, too
                self._runs.fails(self._lease(grain, now, lease.known_until), now, why)
            return
        self._failed.pop(grain, None)
        self._said[grain] = ""
        self._last[grain] = LastRun(
            lease.run, lease.known_until, VERSION, counts.series, counts.series - counts.refused
        )
        took = (now - lease.run).total_seconds()
        log.info(
            "forecast by the %s: %d series, %d refused, %g s", grain, counts.series, counts.refused, round(took, 1)
        )
        FORECAST_RUNS.labels(grain, "complete").inc()
        FORECAST_RUN_SECONDS.labels(grain).set(took)
        FORECAST_SERIES.labels(grain).set(counts.series)

    # -- when there can be none

    def _tell_stale(self, grain: Step, now: datetime) -> None:
        """The last forecast stays as it is; people are told since when it should have been made anew, and why not."""
        last, grid = self._last[grain], self._grids[grain]
        if last is None:
            return
        due = grid.start(grid.cell_at(last.known_until) + 1)
        late = now - due
        FORECAST_STALE.labels(grain).set(max(0.0, late.total_seconds()))
        if late < timedelta(seconds=self._settings.stale_after_s):
            self._late_since.pop(grain, None)
            return
        if self._said[grain] or now - self._late_since.setdefault(grain, now) < PATIENCE:
            return
        why = self._failed[grain][1] if grain in self._failed else self._reach.lag(now)
        log.warning("the forecast by the %s is stale since %s: %s", grain, due, why)
        self._runs.is_stale(self._lease(grain, now, last.known_until), why)
        self._said[grain] = why


def _run_of(last: LastRun | None) -> datetime | None:
    return None if last is None else last.run


def _be_nice() -> None:
    """Of the calling thread alone: on Linux each has a niceness of its own."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)

"""Reads what the job 'forecasts' says of budgets: again whenever a run is complete, in a thread of its own, so that no
cycle waits for it."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from stream_jobs.base.errors import SpendstreamError
from stream_jobs.base.instants import EPOCH, as_utc, unix_micros
from stream_jobs.budgets.book import Place
from stream_jobs.budgets.outlook import Chance, Outlook
from stream_jobs.runtime.due import Due
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

LOOK_S: Final = 10.0
KEPT_FOR: Final = timedelta(days=4)
"""A forecast without a newer one is forgotten after that, as the job 'forecasts' forgets what it has decided."""
Outlooks = Mapping[Place, Outlook]


class _Run(NamedTuple):
    """The latest complete one of hours, or of days."""

    run: datetime
    is_stale: bool  # there should be a newer one


_Runs = dict[str, _Run]


class OutlookReader:
    """Used by one thread."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="budgets-forecasts")
        self._due = Due(LOOK_S)
        self._known: _Runs = {}
        self._under_way: Future[tuple[_Runs, Outlooks | None]] | None = None
        self._failed = False

    def begin(self) -> Outlooks:
        """All that is said now. Waits for it: what was told must not be taken back because nobody has read yet why."""
        self._under_way = self._thread.submit(_asked, self._store, self._known)
        return self._taken(self._under_way) or {}

    def look(self) -> Outlooks | None:
        """All that is said now, if that is something new. What could not be read is tried again, and what was known
        stays; nothing is raised."""
        if self._under_way is not None:
            return self._taken(self._under_way) if self._under_way.done() else None
        if self._due():
            self._under_way = self._thread.submit(_asked, self._store, self._known)
        return None

    def _taken(self, under_way: Future[tuple[_Runs, Outlooks | None]]) -> Outlooks | None:
        self._under_way = None
        try:
            self._known, found = under_way.result()
        except SpendstreamError as error:
            if not self._failed:
                log.warning("cannot read the forecasts of budgets: %s", error)
            self._failed = True
            return None
        self._failed = False
        return found

    def close(self) -> None:
        self._thread.shutdown(wait=True)


def read_outlooks(store: StoreClient) -> Outlooks:
    """All that is said now. Raises SpendstreamError."""
    return _asked(store, {})[1] or {}


def _asked(store: StoreClient, known: _Runs) -> tuple[_Runs, Outlooks | None]:
    """The latest runs, and what they say if they are others than those that are known. Raises SpendstreamError."""
    runs = {
        grain: _Run(as_utc(run), bool(stale))
        for grain, run, stale in cast(list[tuple[str, datetime, int]], store.rows(_LATEST))
    }
    return runs, None if runs == known else _said(store, runs)


_LATEST: Final = (
    "SELECT toString(grain), maxIf(run, status = 'complete') AS last, "
    "now64(6, 'UTC') > argMaxIf(due_at, run, status = 'complete') OR maxIf(run, status IN ('stale', 'failed')) > last "
    "FROM forecast_runs GROUP BY grain HAVING last > toDateTime64(0, 6, 'UTC')"
)
# Of each place the latest that could say something: where the latest run of all says nothing, what was told is kept.
_ROWS: Final = (
    "SELECT toString(grain), run, budget_id, period_key, vals, amount, p10, p50, p90, thresholds, probabilities, "
    "raised_since, breach_p10, breach_p50, breach_p90, label, why FROM budget_forecasts "
    "WHERE run >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND period_end > now64(6, 'UTC') AND p50 IS NOT NULL "
    "AND (run, grain) IN (SELECT run, grain FROM forecast_runs WHERE status = 'complete') "
    "ORDER BY run DESC LIMIT 1 BY budget_id, period_key, vals"
)


def _said(store: StoreClient, runs: _Runs) -> Outlooks:
    since = max((run.run for run in runs.values()), default=None)
    if since is None:
        return {}
    rows = cast(list[tuple[Any, ...]], store.rows(_ROWS, {"since": unix_micros(since - KEPT_FOR)}))
    return {Place(row[2], row[3], tuple(row[4])): _outlook(row, runs.get(row[0])) for row in rows}


def _outlook(row: tuple[Any, ...], latest: _Run | None) -> Outlook:
    _, run, _, _, _, amount, p10, p50, p90, percents, chances, raised, *rest = row
    first, middle, last, label, why = rest
    run = as_utc(run)
    return Outlook(
        *(run, amount, p10, p50, p90),
        {
            Decimal(percent): Chance(float(chance), None if as_utc(since) <= EPOCH else as_utc(since))
            for percent, chance, since in zip(percents, chances, raised, strict=True)
        },
        (_instant(first), _instant(middle), _instant(last)),
        *(label, why, latest is None or latest.is_stale or latest.run != run),
    )


def _instant(at: datetime | None) -> datetime | None:
    return None if at is None else as_utc(at)

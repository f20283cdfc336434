"""What is forecast of demand, read from the store now and then, and shown as metrics.

Every process with this job has it, not only the one that makes the forecasts, so that whichever is asked can answer;
and no question waits for the store.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from prometheus_client import Gauge

from stream_jobs.base.instants import EPOCH, as_utc
from stream_jobs.forecasts.demand import (
    DemandHour,
    Deployment,
    Outlook,
    Quantile,
    UnknownDemandError,
    peak,
    usable,
)
from stream_jobs.runtime.metrics import DEMAND_REQUESTS, DEMAND_TOKENS
from stream_jobs.store.client import StoreClient

READ_S: Final = 30.0
METRICS_AHEAD: Final = timedelta(hours=1)
METRICS_QUANTILE: Final[Quantile] = "0.9"
Labels = tuple[str, str]


def utc_now() -> datetime:
    return datetime.now(UTC)


class DemandBoard:
    """`outlook` may be asked by any thread; the rest is called by one."""

    def __init__(self, store: StoreClient, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._now = now
        self._outlook: Outlook | None = None
        self._shown: set[tuple[Gauge, Labels]] = set()

    def outlook(self) -> Outlook | None:
        """None before the first look."""
        return self._outlook

    def look(self) -> None:
        """Raises StoreUnavailableError; what was known then stays, until it is too old."""
        try:
            self._outlook = self._read()
        finally:
            self._show()

    def _read(self) -> Outlook:
        rows = self._store.rows(
            "SELECT provider, model, region, hour, requests_per_second_p50, requests_per_second_p90, "
            "tokens_per_second_p50, tokens_per_second_p90, label, as_of, stale_why "
            "FROM demand_ahead WHERE model != '' ORDER BY provider, model, region, hour"
        )
        hours: dict[Deployment, list[DemandHour]] = {}
        as_of, stale = EPOCH, ""
        for row in cast(list[tuple[Any, ...]], rows):
            requests, tokens = _by_quantile(row[4], row[5]), _by_quantile(row[6], row[7])
            hour = DemandHour(as_utc(row[3]), requests, tokens, str(row[8]))
            hours.setdefault(Deployment(*row[:3]), []).append(hour)
            as_of, stale = as_utc(row[9]), str(row[10])
        return Outlook(self._now(), hours, as_of, stale)

    def _show(self) -> None:
        """Absent is what is not known: an old figure would be taken for a new one."""
        shown = self._figures()
        for gauge, labels in self._shown - shown.keys():
            gauge.remove(*labels)
        for (gauge, labels), rate in shown.items():
            gauge.labels(*labels).set(rate)
        self._shown = set(shown)

    def _figures(self) -> dict[tuple[Gauge, Labels], float]:
        found: dict[tuple[Gauge, Labels], float] = {}
        now = self._now()
        try:
            outlook = usable(self._outlook, now)
        except UnknownDemandError:
            return found
        for of, hours in outlook.hours.items():
            if of.region:
                continue
            try:
                rates = peak(hours, now, METRICS_AHEAD, METRICS_QUANTILE)
            except UnknownDemandError:
                continue
            for gauge, rate in ((DEMAND_REQUESTS, rates.requests), (DEMAND_TOKENS, rates.tokens)):
                if rate is not None:
                    found[gauge, (of.provider, of.model)] = rate
        return found


def _by_quantile(p50: float | None, p90: float | None) -> dict[Quantile, float | None]:
    return {"0.5": _rate(p50), "0.9": _rate(p90)}


def _rate(rate: float | None) -> float | None:
    return rate if rate is not None and math.isfinite(rate) and rate >= 0 else None

"""What the anomalies job found, as stretches of series; read from its table."""

from datetime import datetime
from typing import Any, cast

from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.forecasts.incidents import Stretch, is_incident
from stream_jobs.store.client import StoreClient


def incidents(store: StoreClient, since: datetime, now: datetime) -> list[Stretch]:
    """Of costs, found `since`; what is open lasts until now. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT dims, vals, kind, closing, starts_at, ends_at, toFloat64(actual - expected) FROM ("
        "SELECT * FROM anomaly_findings WHERE detected_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
        "AND measure = 'effective_cost' ORDER BY version DESC, at DESC LIMIT 1 BY finding_id)",
        {"since": unix_micros(since)},
    )
    found = []
    for dims, vals, kind, closing, starts, ends, excess in cast(list[tuple[Any, ...]], rows):
        start, end = as_utc(starts), now if ends is None else as_utc(ends)
        if is_incident(kind, closing, end - start):
            found.append(Stretch(tuple(dims), tuple(vals), start, end, float(excess)))
    return found

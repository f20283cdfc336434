"""The band that the job kept of a series, step by step."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from stream_jobs.anomalies.found import Found
from stream_jobs.base.instants import as_utc
from stream_jobs.store.client import StoreClient


@dataclass(frozen=True, slots=True)
class Score:
    """One step. Amounts are of the measure."""

    at: datetime  # its beginning
    step: timedelta
    actual: Decimal
    expected: Decimal
    low: Decimal
    high: Decimal


def scores_of(store: StoreClient, found: Found, since: datetime, until: datetime) -> list[Score]:
    """Of the finding's series, in the order of time; none where the job keeps none of it, or of so long ago."""
    rows = store.rows(
        "SELECT at, step_s, actual, expected, low, high FROM anomaly_scores WHERE measure = {measure:String} "
        "AND dims = {dims:Array(String)} AND vals = {vals:Array(String)} "
        "AND at >= {since:DateTime64(6, 'UTC')} - toIntervalSecond(step_s) AND at < {until:DateTime64(6, 'UTC')} "
        "ORDER BY at",
        {
            "measure": found.measure,
            "dims": list(found.series),
            "vals": list(found.series.values()),
            "since": since,
            "until": until,
        },
    )
    return [_score(*row) for row in cast(list[tuple[Any, ...]], rows)]


def _score(at: datetime, step_s: int, *amounts: Decimal) -> Score:
    return Score(as_utc(at), timedelta(seconds=step_s), *amounts)

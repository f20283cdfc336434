"""The band that the job kept of a series, stretch by stretch. Statistics, which plots show, and no amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from stream_jobs.anomalies.found import Found
from stream_jobs.anomalies.model import COST
from stream_jobs.base.instants import as_utc
from stream_jobs.store.client import StoreClient


@dataclass(frozen=True, slots=True)
class Score:
    """A stretch. Expected and band are USD."""

    at: datetime  # its beginning
    length: timedelta
    expected: float
    low: float
    high: float

    def share(self, at: datetime, step: timedelta) -> float:
        """Of the stretch, what lies in the step that begins then."""
        common = min(self.at + self.length, at + step) - max(self.at, at)
        return max(common, timedelta(0)) / self.length


def scores_of(store: StoreClient, found: Found, since: datetime, until: datetime) -> list[Score]:
    """Those that lie in [since, until) in part, the shortest first. The job keeps those of costs, for some weeks."""
    if found.measure != COST:
        return []
    rows = store.rows(
        "SELECT at, minutes, expected, low, high FROM anomaly_scores FINAL WHERE dims = {dims:Array(String)} "
        "AND vals = {vals:Array(String)} AND at > {since:DateTime('UTC')} "
        "AND at < {until:DateTime('UTC')} + toIntervalMinute(minutes) ORDER BY minutes, at",
        {"dims": list(found.series), "vals": list(found.series.values()), "since": since, "until": until},
    )
    return [_score(*row) for row in cast(list[tuple[Any, ...]], rows)]


def _score(end: datetime, minutes: int, expected: float, low: float, high: float) -> Score:
    length = timedelta(minutes=minutes)
    return Score(as_utc(end) - length, length, expected, low, high)


def band_of(scores: Sequence[Score], at: datetime, step: timedelta) -> tuple[float, float, float] | None:
    """Expected, low and high of the step: of the shortest stretches that cover it, of each its part. None where they do
    not cover it."""
    for length in dict.fromkeys(score.length for score in scores):
        parts = [(score, share) for score in scores if score.length == length and (share := score.share(at, step))]
        if sum((length * share for _, share in parts), timedelta(0)) >= step:
            return (
                sum(score.expected * share for score, share in parts),
                sum(score.low * share for score, share in parts),
                sum(score.high * share for score, share in parts),
            )
    return None

"""Which part of a series an event concerns, by what the ledger says of the weeks before it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from stream_jobs.forecasts.model import REST, Key, Watched
from stream_jobs.planned.document import PlannedEvent, in_utc
from stream_jobs.planned.events import PlannedEvents
from stream_jobs.series.facts import Values
from stream_jobs.series.mix import read_shares
from stream_jobs.store.client import StoreClient

LOOKED_AT: Final = timedelta(days=28)
LEAST: Final = timedelta(days=7)
"""Of history before an event: else the last weeks are looked at, with what it does by now."""
MOST_QUESTIONS: Final = 60
"""In one run: each reads four weeks of the ledger. What is left over is asked by the next one."""
KEPT: Final = 2_000


class EventShares:
    """Asked once a day. Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._kept: dict[tuple[object, ...], dict[Values, float]] = {}
        self._left = MOST_QUESTIONS

    def begins(self) -> None:
        """Another run."""
        self._left = MOST_QUESTIONS

    def of(
        self, key: Key, watched: Watched, keys: Sequence[Key], event: PlannedEvent, looked_at: tuple[datetime, datetime]
    ) -> float | None:
        """By what was paid; None: too much was asked already."""
        among = [one.vals for one in keys if (one.budget_id, one.dims) == (key.budget_id, key.dims) and not one.is_rest]
        question = (repr(watched.spec.scope), watched.dims, tuple(among), repr(event.scope), looked_at)
        if question not in self._kept:
            if not self._left:
                return None
            self._left -= 1
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[question] = read_shares(self._store, watched.spec, among, event.scope, *looked_at)
        rest = (REST,) * len(key.dims)
        return self._kept[question].get(rest if key.is_rest else key.vals, 0.0)


def weeks_before(
    events: PlannedEvents, event: PlannedEvent, first: datetime, origin: datetime
) -> tuple[datetime, datetime]:
    """The weeks before it began, where the series has a history of then; else the last ones. Whole days, so that the
    same is asked all day."""
    until = origin
    if event.from_ is not None and event.every is None:
        begins = in_utc(event.from_, events.zone_of(event))
        if begins - first.astimezone(UTC) >= LEAST:
            until = min(until, begins)
    day = until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - LOOKED_AT, day

"""What known changes of prices do to series, by what each was used for of late."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from stream_jobs.forecasts.whose import Conditions
from stream_jobs.pricing.ahead import COSTS, Ahead, Cost, Used, price_factors
from stream_jobs.pricing.book import PriceBook
from stream_jobs.series.measures import Measure
from stream_jobs.series.mix import read_mix
from stream_jobs.store.client import StoreClient

LATELY: Final = timedelta(days=7)
MOST_S: Final = 30.0
"""In one run for reading mixes and pricing them; series that come later in it keep today's prices."""
KEPT: Final = 1_000


class PriceMoves:
    """Mixes are read once a day, and those of single series only where a price of the total's moves. Raises
    StoreUnavailableError."""

    def __init__(self, store: StoreClient, book: Callable[[], PriceBook]) -> None:
        self._store = store
        self._book = book
        self._mixes: dict[tuple[object, ...], list[Used]] = {}
        self._until_s = 0.0

    def begins(self) -> None:
        """Another run."""
        self._until_s = time.monotonic() + MOST_S

    def move(self, edges: Sequence[datetime], origin: datetime) -> bool:
        """Whether a price of anything moves between these."""
        found = self._ahead({}, edges, origin)
        return found is not None and found.moves

    def of(self, scope: Conditions, measure: Measure, edges: Sequence[datetime], origin: datetime) -> Ahead | None:
        """None for what is no cost, and where the time is over."""
        return self._ahead(scope, edges, origin) if cost_of(measure) is not None else None

    def _ahead(self, scope: Conditions, edges: Sequence[datetime], origin: datetime) -> Ahead | None:
        if time.monotonic() > self._until_s:
            return None
        book = self._book()
        return price_factors(book, self._mix(book, scope, origin), edges, origin)

    def _mix(self, book: PriceBook, scope: Conditions, origin: datetime) -> list[Used]:
        day = origin.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        key = (repr(scope), day, book.scope_fields)
        if key not in self._mixes:
            if len(self._mixes) >= KEPT:
                self._mixes.clear()
            self._mixes[key] = read_mix(self._store, scope, day - LATELY, day, book.scope_fields)
        return self._mixes[key]


def cost_of(measure: Measure) -> Cost | None:
    """Of which cost its factors are."""
    return next((cost for cost in COSTS if measure == f"{cost}_cost"), None)

"""What is known beforehand of all series of a run: planned events, and prices that are known to change."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.event_shares import EventShares, weeks_before
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.model import Floats, Key, Past, Watched
from stream_jobs.forecasts.price_moves import PriceMoves, cost_of
from stream_jobs.forecasts.whose import Conditions, conditions_of, watched_of
from stream_jobs.planned.document import PlannedEvent
from stream_jobs.planned.effects import Effects, effects_of, lasting, partly
from stream_jobs.planned.events import PlannedEvents
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.client import StoreClient

PRICED: Final[dict[Step, int]] = {"hour": 42 * 24, "day": 120}
"""Cells of the past that are brought to today's prices: what was used before is not what is used today."""
TOLD: Final = timedelta(days=28)
"""Prices that changed so long ago are still told of: the forecast is not what the last weeks were."""
MOST_TOLD: Final = 3
"""Of each kind, by name; the others by their number."""


class Foreknowledge:
    """Raises StoreUnavailableError."""

    def __init__(self, store: StoreClient, events: Callable[[], PlannedEvents], book: Callable[[], PriceBook]) -> None:
        self._events = events
        self._shares = EventShares(store)
        self._prices = PriceMoves(store, book)

    def begins(self) -> None:
        """Another run: it has its own bounds."""
        self._shares.begins()
        self._prices.begins()

    def of(self, past: Past, watched: Sequence[Watched], horizon: int) -> Beforehand | None:
        """None where nothing is known of anything, which is the usual."""
        cells = int(past.values.shape[1])
        edges = [past.grid.start(past.first + place) for place in range(cells + horizon + 1)]
        if not past.keys or not cells:
            return None
        shape = len(past.keys), cells + horizon
        factors, amounts, prices = np.ones(shape), np.zeros(shape), np.ones(shape)
        why = [""] * len(past.keys)
        events = self._events()
        skipped = max(0, cells - PRICED[past.grid.step])
        lasts: dict[str, Floats] = {}
        seen: list[dict[str, Floats]] = [{} for _ in past.keys]
        prices_move = self._prices.move(edges[skipped:], edges[cells])
        if not len(events) and not prices_move:
            return None
        for place, key in enumerate(past.keys):
            source = watched_of(key, watched)
            told: list[str] = []
            if len(events):
                happened, said = self._planned(events, past, source, key, edges, (factors[place], amounts[place]))
                told += said
                for event in happened:
                    if event.id not in lasts:
                        lasts[event.id] = lasting(events, event, edges)
                    seen[place][event.id] = lasts[event.id]
            scope = conditions_of(key, source.spec.scope, past.keys)
            if prices_move and scope is not None:
                told += self._priced(scope, key, edges[skipped:], edges[cells], prices[place, skipped:])
            why[place] = "; ".join(told)
        return Beforehand(past.grid.step, past.first, cells, factors * prices, amounts, why, seen, prices)

    def _planned(
        self,
        events: PlannedEvents,
        past: Past,
        source: Watched,
        key: Key,
        edges: Sequence[datetime],
        into: tuple[Floats, Floats],
    ) -> tuple[list[PlannedEvent], list[str]]:
        """Which moved usage in cells that are over, and what is ahead in words."""
        cells = int(past.values.shape[1])
        scope = conditions_of(key, source.spec.scope, past.keys)
        series = source.spec.scope if scope is None else scope
        shares: dict[str, float] = {}
        for event in partly(events, series, edges[0], edges[-1]):
            looked_at = weeks_before(events, event, edges[0], edges[cells])
            share = self._shares.of(key, source, past.keys, event, looked_at)
            if share is not None:
                shares[event.id] = share
        before = effects_of(events, series, edges[: cells + 1], shares)
        ahead = effects_of(events, series, edges[cells:], shares)
        for places, effects in ((slice(0, cells), before), (slice(cells, None), ahead)):
            into[0][places] *= effects.factor
            if key.measure == "effective_cost" and scope is not None:
                into[1][places] += effects.usd
        return [event for event in before.events if event.factor != 1], _of_events(ahead, shares)

    def _priced(
        self, scope: Conditions, key: Key, edges: Sequence[datetime], origin: datetime, into: Floats
    ) -> list[str]:
        cost = cost_of(key.measure)
        found = self._prices.of(scope, key.measure, edges, origin)
        if found is None or cost is None:
            return []
        into[:] = found.factors[cost]
        told = [change.words for change in found.changes if change.at >= origin - TOLD]
        return [f"prices from {words}" for words in _some(told)]


def _of_events(ahead: Effects, shares: dict[str, float]) -> list[str]:
    """Those that a series has nothing of are none of its."""
    named = [event for event in ahead.events if shares.get(event.id, 1.0) > 0 or event.adds_usd is not None]
    parts = (("planned", named), ("planned, and not known yet how much of it that is", ahead.unweighed))
    return [f"{what}: {', '.join(_some([_name(event) for event in found]))}" for what, found in parts if found]


def _name(event: PlannedEvent) -> str:
    return event.name or event.id


def _some(texts: Sequence[str]) -> list[str]:
    more = len(texts) - MOST_TOLD
    return [*texts[:MOST_TOLD], *([f"{more} more"] if more > 0 else [])]

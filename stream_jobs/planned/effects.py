"""What planned events do to a series, cell by cell: by what factor its usage is moved, and what is added beside it.

An event may concern all of a series (one of team search the series of its models), a part of it (the total) or nothing
(another team's). What a factor moves of a part depends on how much of the series lies in the event's scope, which is
for who knows the ledger to say; a purchase adds to every series that all of its scope lies in, and to no other, so that
what is added to parts is never more than what is added to their whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from spendstream_schemas.scope import Condition
from stream_jobs.base.instants import unix_micros
from stream_jobs.planned.document import PlannedEvent
from stream_jobs.planned.events import PlannedEvents
from stream_jobs.planned.occurring import occurrences, purchases
from stream_jobs.planned.overlap import overlap

Floats = npt.NDArray[np.float64]
Series = Mapping[str, Condition]
"""Whose usage a series is: its scope, with a condition for each value that it is cut by. Empty: the total."""
MOST: Final = 1e6
"""What several factors at once may come to."""
_NO_SHARES: Final[Mapping[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Effects:
    """Of the events on one series, for each cell."""

    factor: Floats
    """(cells,): the mean over the cell of what usage is multiplied by; exactly 1 where no event holds."""
    usd: Floats
    """(cells,): what is paid in the cell beside usage; exactly 0 where nothing is."""
    events: tuple[PlannedEvent, ...] = ()  # that move or add something in these cells, in the order of the file
    unweighed: tuple[PlannedEvent, ...] = ()
    """That move a part of the series in these cells, and whose part nobody gave: left out."""


def partly(events: PlannedEvents, series: Series, start: datetime, end: datetime) -> tuple[PlannedEvent, ...]:
    """The events that move a part of the series within [start, end): those that `effects_of` needs the shares of."""
    return tuple(
        event
        for event in events
        if event.factor != 1
        and overlap(event.scope, series).part
        and next(occurrences(event, events.zone_of(event), start, end), None) is not None
    )


def effects_of(
    events: PlannedEvents, series: Series, edges: Sequence[datetime], shares: Mapping[str, float] = _NO_SHARES
) -> Effects:
    """Over the cells between each two of `edges` (aware, rising): hours, or local days as long as they are.

    `shares`: by the event's id, which part of the series' usage lies in its scope, between 0 and 1, for events that
    concern a part of it (`partly`). Several factors at once are multiplied, up to `MOST`. What holds for a part of a
    cell counts by its time. Raises ValueError for edges that do not rise.
    """
    if len(edges) < 2:
        return Effects(np.ones(0), np.zeros(0))
    start, end = edges[0].astimezone(UTC), edges[-1].astimezone(UTC)
    bounds = np.array([unix_micros(edge) for edge in edges], np.int64)
    if np.any(np.diff(bounds) <= 0):
        raise ValueError("the edges of cells must rise")
    usd = np.zeros(len(bounds) - 1)
    moving: list[tuple[float, npt.NDArray[np.int64]]] = []
    named: list[PlannedEvent] = []
    unweighed: list[PlannedEvent] = []
    for event in events:
        how = overlap(event.scope, series)
        if how.apart:
            continue
        zone = events.zone_of(event)
        adds = how.encloses and _add(usd, event, [*purchases(event, zone, start, end)], bounds)
        held = [*occurrences(event, zone, start, end)] if event.factor != 1 else []
        if held:
            share = 1.0 if how.inside else shares.get(event.id)
            if share is None:
                unweighed.append(event)
                held = []
            else:
                stretches = [(unix_micros(one), unix_micros(two or end)) for one, two in held]
                by = 1.0 + min(1.0, max(0.0, share)) * (float(event.factor) - 1.0)
                moving.append((by, np.clip(np.array(stretches, np.int64), bounds[0], bounds[-1])))
        if held or adds:
            named.append(event)
    return Effects(_factors(moving, bounds), usd, tuple(named), tuple(unweighed))


def lasting(events: PlannedEvents, event: PlannedEvent, edges: Sequence[datetime]) -> Floats:
    """(cells,): over which part of each cell, as from `effects_of`, it holds. 0 of what holds for good: that is a level
    of its own."""
    start, end = edges[0].astimezone(UTC), edges[-1].astimezone(UTC)
    bounds = np.array([unix_micros(edge) for edge in edges], np.int64)
    held = [
        (unix_micros(one), unix_micros(two))
        for one, two in occurrences(event, events.zone_of(event), start, end)
        if two is not None
    ]
    if not held:
        return np.zeros(len(bounds) - 1)
    return _factors([(2.0, np.clip(np.array(held, np.int64), bounds[0], bounds[-1]))], bounds) - 1.0


def _factors(moving: list[tuple[float, npt.NDArray[np.int64]]], bounds: npt.NDArray[np.int64]) -> Floats:
    """The mean of each cell. Between two instants at which something begins or ends the factor is one number."""
    points = np.unique(np.concatenate([bounds, *(stretches.ravel() for _, stretches in moving)]))
    factor = np.ones(len(points) - 1)
    for by, stretches in moving:
        steps = np.zeros(len(points), np.int64)
        np.add.at(steps, np.searchsorted(points, stretches[:, 0]), 1)
        np.add.at(steps, np.searchsorted(points, stretches[:, 1]), -1)
        factor[np.cumsum(steps)[:-1] > 0] *= by
        np.minimum(factor, MOST**2, out=factor)  # many at once have no end; those below 1 still count
    # Of what differs from 1: where nothing holds the sum is exactly 0.
    moved = np.add.reduceat((np.minimum(factor, MOST) - 1.0) * np.diff(points), np.searchsorted(points, bounds[:-1]))
    return np.asarray(np.maximum(1.0 + moved / np.diff(bounds), 0.0), np.float64)


def _add(
    usd: Floats, event: PlannedEvent, stretches: Sequence[tuple[datetime, datetime]], bounds: npt.NDArray[np.int64]
) -> bool:
    """Adds what the event adds to each cell; whether it adds anything."""
    amount = float(event.adds_usd or 0)
    for begin, over in stretches:
        one, two = unix_micros(begin), unix_micros(over)
        if one == two:
            usd[int(np.searchsorted(bounds, one, side="right")) - 1] += amount
            continue
        inside = np.maximum(np.minimum(bounds[1:], two) - np.maximum(bounds[:-1], one), 0)
        usd += amount * (inside / (two - one))
    return bool(stretches)

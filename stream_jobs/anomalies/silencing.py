"""What nobody is told of, because people knew it beforehand: planned events, and what was marked as expected.

A planned event explains of a finding what lies in its scope, up to its factor: cells of the stretch that the scope
holds for, and what was to be expected of them. If what is left is within the detector's band, which is as much wider as
more is expected, the finding is silenced. So a launch in one team silences the rise of the total as well, unless more
than the launch made it rise; and what exceeds the event's factor is told: of what goes on since the stretch was read
no more is planned than the factor allows for what was to be expected by now. With `up_to_usd` or `adds_usd` it
explains so much of a finding's cost besides, whatever was usual: for what is new, and for what is bought. The band is
no wider by that.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import numpy as np

from stream_jobs.anomalies.evidence import Evidence, conditions_of
from stream_jobs.anomalies.grouping import sign_of
from stream_jobs.anomalies.model import COST, EVENTS, FindingRow
from stream_jobs.planned.document import PlannedEvent
from stream_jobs.planned.events import PlannedEvents

EVENT: Final = "event:"
"""What `silenced_by` begins with where planned events did it; their ids follow, separated by commas."""
MAX_EVENTS: Final = 32
"""Of one stretch: those that come first in the file."""
_NOTHING: Final = Decimal(0)


def planned_for(
    row: FindingRow, until: datetime, events: PlannedEvents, evidence: Evidence | None
) -> tuple[Decimal, tuple[PlannedEvent, ...]]:
    """(How much of the finding's excess is planned by `until`, without its sign and in its unit; by which events)."""
    end = max(row.ends_at or until, row.starts_at)
    if end <= row.starts_at or not len(events) or row.measure not in (COST, EVENTS):  # a factor is one of usage
        return _NOTHING, ()
    surely = events.over(conditions_of(row.series), row.starts_at, end)
    up = row.direction == "up"
    if surely.events:
        part = surely.most - 1 if up else 1 - surely.least
        usd = sum((_up_to(event, row, end, events) for event in surely.events), _NOTHING)
        amount = max(_NOTHING, row.expected) * Decimal(repr(part)) + usd
        return amount, surely.events if amount > 0 or part > 0 else ()
    if evidence is None:
        return _NOTHING, ()
    during = [event for event in events.during(row.starts_at, end) if evidence.knows(dict.fromkeys(event.scope, ""))]
    return _in_cells(row, end, events, during[:MAX_EVENTS], evidence)


def _up_to(event: PlannedEvent, row: FindingRow, end: datetime, events: PlannedEvents) -> Decimal:
    """What the event allows a finding to cost more until then, in USD."""
    return events.allowed_usd(event, row.starts_at, end) if _rises_in_cost(row) else _NOTHING


def _rises_in_cost(row: FindingRow) -> bool:
    return row.direction == "up" and row.measure == COST


def explains(row: FindingRow, planned: Decimal, events: Sequence[PlannedEvent] = ()) -> bool:
    """Whether what is left of the finding's excess is within the band, which is as much wider as factors expect more;
    of `events` with a bound in USD it is not."""
    if planned <= 0:
        return False
    up = row.direction == "up"
    gap = row.high - row.expected if up else row.expected - row.low
    if row.expected > 0 and not (_rises_in_cost(row) and any(event.allowed_usd for event in events)):
        gap *= max(_NOTHING, row.expected + planned if up else row.expected - planned) / row.expected
    return abs(row.excess) - planned <= max(_NOTHING, gap)


def silenced_by(events: Sequence[PlannedEvent]) -> str:
    return EVENT + ",".join(event.id for event in events)


def dimensions_of(events: Sequence[PlannedEvent]) -> list[str]:
    """What has to be read of a stretch to know whom they concern."""
    return list(dict.fromkeys(field for event in events for field in event.scope))


def _in_cells(
    row: FindingRow, end: datetime, events: PlannedEvents, during: Sequence[PlannedEvent], evidence: Evidence
) -> tuple[Decimal, tuple[PlannedEvent, ...]]:
    own = evidence.mask(conditions_of(row.series))
    which = np.zeros(evidence.table.num_rows, np.int64)  # a bit for each event whose scope holds
    for number, event in enumerate(during):
        cells = own.copy()
        for field, condition in event.scope.items():
            cells &= evidence.holding(field, condition.holds)
        which |= cells.astype(np.int64) << number
    sign, measure = sign_of(row.direction), EVENTS if row.measure == EVENTS else ""
    whole = evidence.moved(own, sign, measure)
    planned, named, allowed = 0.0, 0, 0.0
    usd_of = [_up_to(event, row, end, events) for event in during]
    left = [float(usd) for usd in usd_of]  # of what each event allows in USD
    bound = 0.0
    for bits in np.unique(which[which > 0]).tolist():
        together = [event for number, event in enumerate(during) if bits >> number & 1]
        expected = events.expectation(together, row.starts_at, end)
        part = evidence.moved(which == bits, sign, measure)
        room = part.before * (expected.most - 1 if row.direction == "up" else 1 - expected.least)
        allowed += max(0.0, room)
        explained = max(0.0, min(part.excess, room))
        for number, usd in enumerate(left):
            more = min(usd, max(0.0, part.excess - explained)) if bits >> number & 1 else 0.0
            left[number], explained, bound = usd - more, explained + more, bound + more
        if explained > 0:
            planned, named = planned + explained, named | bits
    if planned <= 0 or whole.excess <= 0:
        return _NOTHING, ()
    # As a part of what moved, for the finding has gone on since the stretch was read.
    share = Decimal(repr(min(1.0, planned / whole.excess)))
    most = max(_NOTHING, row.expected) * Decimal(repr(allowed / whole.before)) if whole.before > 0 else _NOTHING
    if bound > 0:
        most += sum(usd_of, _NOTHING)
    by = tuple(event for number, event in enumerate(during) if named >> number & 1)
    return min(abs(row.excess) * share, most), by

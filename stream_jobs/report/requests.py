"""The most expensive requests (calls of models) and other usage (GPU jobs, storage), each as the sum of its entries.

Nearly every event is one entry, its charge, whose cost is the event's. So the largest charges are asked for, and only
those events are added up that have another entry, and those that are shown.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from stream_jobs.base.instants import as_utc
from stream_jobs.report.data import Request
from stream_jobs.report.figures import Figures

_COST: Final = -1


class _Candidate(NamedTuple):
    """A charge, or what a correction booked in its stead."""

    micros: int  # since 1970, when it happened
    event_id: str
    cost: Decimal

    @property
    def place(self) -> str:
        return f"{self.micros} {self.event_id}"


def dearest(store: Figures, *, model_calls: int, others: int) -> tuple[tuple[Request, ...], tuple[Request, ...]]:
    """(So many calls of models, so much other usage) of the period, the dearest first. Raises StoreUnavailableError."""
    calls, jobs = (
        [_Candidate(int(micros), event_id, cost) for micros, event_id, cost in rows]
        for rows in (store.rows("requests", model_calls=True), store.rows("requests", model_calls=False))
    )
    ids = sorted({candidate.event_id for candidate in (*calls, *jobs)})
    plain = {str(row[0]) for row in store.rows_for("requests_charged_once", ids)}
    plain -= {str(row[0]) for row in store.rows_for("requests_corrected", ids)}
    return _shown(store, calls, plain, model_calls), _shown(store, jobs, plain, others)


def _shown(store: Figures, candidates: Sequence[_Candidate], plain: set[str], most: int) -> tuple[Request, ...]:
    """`plain` are the events that cost what their candidate does."""
    simple = sorted((one for one in candidates if one.event_id in plain), key=lambda one: (-one.cost, one.event_id))
    places = {one.place for one in (*simple[:most], *(one for one in candidates if one.event_id not in plain))}
    rows = store.rows_for("requests_added_up", sorted(places, key=lambda place: place.partition(" ")[2]))
    rows.sort(key=lambda row: (-row[_COST], row[0]))
    return tuple(Request(*_aware(row)) for row in rows[:most])


def _aware(row: Sequence[Any]) -> list[Any]:
    return [as_utc(value) if isinstance(value, datetime) else value for value in row]

"""The most expensive requests (calls of models) and other usage (GPU jobs, storage), each as the sum of its entries.

Nearly every event is one entry, its charge, whose cost is the event's. So the largest charges are asked for, and what
other prices added most to, and only those events are added up that have another entry, and those that are shown. Where
corrections have changed the order so much that an event further down may be among these, all of them are asked for.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from stream_jobs.base.instants import as_utc
from stream_jobs.report.data import ZERO, Request
from stream_jobs.report.figures import Figures

DEPTH: Final = 500
_COST: Final = -1


class _Candidate(NamedTuple):
    """A charge, or what a correction booked in its stead."""

    micros: int  # since 1970, when it happened
    event_id: str
    cost: Decimal

    @property
    def place(self) -> str:
        return f"{self.micros} {self.event_id}"


def dearest(
    store: Figures, *, model_calls: int, others: int, depth: int = DEPTH
) -> tuple[tuple[Request, ...], tuple[Request, ...]]:
    """(So many calls of models, so much other usage) of the period, the dearest first. `depth`: how many candidates of
    a kind are looked at, at least as many as are shown. Raises StoreUnavailableError."""
    mosts = (model_calls, others)
    asked: list[Sequence[_Candidate]] = []
    bounds = []
    for calls in (True, False):
        charged = _candidates(store.rows("requests", model_calls=calls, rows=depth))
        raised = _candidates(store.rows("requests_raised", model_calls=calls, rows=depth))
        asked.append([*charged, *raised])
        bounds.append(_least(charged, depth) + _least(raised, depth))
    shown = _shown_of(store, asked, mosts)
    for number, (most, bound) in enumerate(zip(mosts, bounds, strict=True)):
        if bound and (len(shown[number]) < most or shown[number][-1].cost < bound):
            whole = _candidates(store.rows("requests_whole", model_calls=number == 0, rows=depth))
            (shown[number],) = _shown_of(store, [whole], [most])
    return shown[0], shown[1]


def _candidates(rows: Sequence[tuple[Any, ...]]) -> list[_Candidate]:
    return [_Candidate(int(micros), event_id, cost) for micros, event_id, cost in rows]


def _least(candidates: Sequence[_Candidate], depth: int) -> Decimal:
    """What one that is not among them has at most: 0 where there is none."""
    return candidates[-1].cost if len(candidates) == depth else ZERO


def _shown_of(store: Figures, kinds: Sequence[Sequence[_Candidate]], mosts: Sequence[int]) -> list[tuple[Request, ...]]:
    """Of each kind the dearest among its candidates, so many."""
    ids = sorted({candidate.event_id for candidates in kinds for candidate in candidates})
    plain = {str(row[0]) for row in store.rows_for("requests_charged_once", ids)}
    plain -= {str(row[0]) for row in store.rows_for("requests_corrected", ids)}
    return [_shown(store, candidates, plain, most) for candidates, most in zip(kinds, mosts, strict=True)]


def _shown(store: Figures, candidates: Sequence[_Candidate], plain: set[str], most: int) -> tuple[Request, ...]:
    """`plain` are the events that cost what their candidate does."""
    simple = sorted((one for one in candidates if one.event_id in plain), key=lambda one: (-one.cost, one.event_id))
    places = {one.place for one in (*simple[:most], *(one for one in candidates if one.event_id not in plain))}
    rows = store.rows_for("requests_added_up", sorted(places, key=lambda place: place.partition(" ")[2]))
    rows.sort(key=lambda row: (-row[_COST], row[0]))
    return tuple(Request(*_aware(row)) for row in rows[:most])


def _aware(row: Sequence[Any]) -> list[Any]:
    return [as_utc(value) if isinstance(value, datetime) else value for value in row]

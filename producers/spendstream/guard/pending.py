"""What this process has allowed and no state can include yet, so that a burst does not run through a limit.

An amount counts from the decision on until a state of its budget is as of later than the decision and a margin (then
the ledger has it, or the request did not come to anything), or until a time limit.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from spendstream.native import new_rlock

_SLICE_US: Final = 100_000
_NEVER: Final = 1 << 63


Amounts = tuple[int, int, int, int]
"""Of one request: pico-USD, and 1e-12 tokens, requests and GPU hours. A budget counts one of them, its meter: its place
here."""
METERS: Final = {None: 0, "tokens": 1, "requests": 2, "gpu_hours": 3}
"""By the unit of a quota; None: money."""
NOTHING: Final[Amounts] = (0, 0, 0, 0)


class Lot:
    """What was allowed of one budget within a tenth of a second."""

    __slots__ = ("amount", "at", "began", "open", "pending", "until_ns")

    def __init__(self, pending: "Pending", at: int, until_ns: int) -> None:
        self.pending = pending
        self.began = self.at = at  # microseconds since 1970: of its first and of its last decision
        self.until_ns = until_ns  # monotonic
        self.amount = 0
        self.open = True


class Pending:
    """The lots of one budget and combination of values, oldest first, and their sum."""

    __slots__ = ("home", "key", "lots", "meter", "total")

    def __init__(self, home: "dict[Any, Pending]", key: object, meter: int) -> None:
        self.home = home
        self.key = key
        self.meter = meter
        self.lots: list[Lot] = []
        self.total = 0


Place = tuple[dict[Any, Pending], Any, int]
"""The pendings of a budget, the combination of values in question, and the budget's meter."""
Reservation = tuple[Amounts, list[Lot]]
"""A request's amounts, and where they were put."""


class PendingBook:
    """All that is pending. Reading `total` needs no lock; `version` changes with every addition.

    The lock is held for a microsecond or so. It may be taken twice by a thread: garbage collection can run a finalizer
    in the middle of this that settles a decision.
    """

    def __init__(self, margin_us: int, limit_ns: int) -> None:
        self._margin_us = margin_us
        self._limit_ns = limit_ns
        self.lock = new_rlock()
        self._expiring: deque[Lot] = deque()
        self.version = 0
        self.next_expiry_ns = _NEVER

    def reserve(
        self, places: Iterable[Place], amounts: Amounts, at: int, now_ns: int, seen_version: int | None
    ) -> Reservation | None:
        """Count at every place what its meter counts of `amounts`. None when something was added since `seen_version`:
        then look again."""
        lots = []
        with self.lock:
            if seen_version is not None and seen_version != self.version:
                return None
            self.version += 1
            for home, key, meter in places:
                amount = amounts[meter]
                if not amount:
                    continue
                pending = home.get(key)
                if pending is None:
                    pending = home[key] = Pending(home, key, meter)
                    lot = self._new_lot(pending, at, now_ns)
                else:
                    lot = pending.lots[-1]
                    if at - lot.began >= _SLICE_US or at < lot.at:
                        lot = self._new_lot(pending, at, now_ns)
                lot.at = at
                lot.amount += amount
                pending.total += amount
                lots.append(lot)
        return amounts, lots

    def _new_lot(self, pending: Pending, at: int, now_ns: int) -> Lot:
        lot = Lot(pending, at, now_ns + self._limit_ns)
        pending.lots.append(lot)
        if not self._expiring:
            self.next_expiry_ns = lot.until_ns
        self._expiring.append(lot)
        return lot

    def take_back(self, reservation: Reservation) -> None:
        """The request does not happen, or counts elsewhere from now on. What is counted no more stays so."""
        with self.lock:
            amounts, lots = reservation
            for lot in lots:
                if lot.open:
                    amount = amounts[lot.pending.meter]
                    lot.amount -= amount
                    lot.pending.total -= amount

    def included(self, pending: Pending, as_of: int) -> None:
        """A state has come that has the ledger up to `as_of`: drop what it includes."""
        with self.lock:
            lots = pending.lots
            while lots and lots[0].at + self._margin_us < as_of:
                self._drop_first(pending)

    def expire(self, now_ns: int) -> None:
        """Drop what has been counted for long enough. Call when `next_expiry_ns` has come."""
        with self.lock:
            expiring = self._expiring
            while expiring and expiring[0].until_ns <= now_ns:
                lot = expiring.popleft()
                while lot.open:
                    self._drop_first(lot.pending)
            self.next_expiry_ns = expiring[0].until_ns if expiring else _NEVER

    def _drop_first(self, pending: Pending) -> None:
        lot = pending.lots.pop(0)
        pending.total -= lot.amount
        lot.open = False
        if not pending.lots and pending.home.get(pending.key) is pending:
            del pending.home[pending.key]

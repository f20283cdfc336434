"""How long work has been standing still: what a job's readiness rests on.

Booking has no deadline of its own: it waits for store and broker as long as it takes, and goes on. Whoever looks from
outside must be told meanwhile, also when nothing fails and nothing is logged: a question that is never answered.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class HeldUp(NamedTuple):
    """For how long nothing has moved although there is something to do, and what that is. 0 seconds: all is well."""

    seconds: float
    what: str = ""


class Progress:
    """Of one strand of work. Written by the thread that works, read by any: each is one assignment of a number."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting_since: float | None = None
        self._working_since: float | None = None

    def waits(self) -> None:
        """There is something to do, and its turn has not come; saying so again changes nothing."""
        if self._waiting_since is None:
            self._waiting_since = self._clock()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """One step is under way. Nothing waits behind it unless that is said anew."""
        self._waiting_since, self._working_since = None, self._clock()
        try:
            yield
        finally:
            self._working_since = None

    @property
    def working_s(self) -> float:
        """How long the step under way has taken."""
        since = self._working_since
        return 0.0 if since is None else self._clock() - since

    def waiting_s(self, since_s: float = 0.0) -> float:
        """How long something has waited for its turn, from when others had theirs (`since_s`, by the clock) on."""
        since = self._waiting_since
        return 0.0 if since is None else self._clock() - max(since, since_s)

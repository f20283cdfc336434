"""Steps that are repeated: until they work, or until something holds.

Time comes in from outside (`pause`, `clock`, `sleep`), so that tests need none. Whoever has a reason of its own to give
up says so by what it raises from the step or from the pause.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Each pause twice as long as the one before, up to a longest one."""

    first_s: float
    longest_s: float

    def __iter__(self) -> Iterator[float]:
        pause_s = self.first_s
        while True:
            yield pause_s
            pause_s = min(2 * pause_s, self.longest_s)


OUTAGE: Final = Backoff(0.1, 5.0)
"""While store or broker do not answer."""


async def retry(
    step: Callable[[], Awaitable[T]],
    what: str,
    on: type[Exception],
    backoff: Backoff,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The first result of the step; each failure of the kind `on` is logged as one of `what`. Never gives up."""
    pauses = iter(backoff)
    while True:
        try:
            return await step()
        except on as error:
            pause_s = next(pauses)
            log.warning("%s: %s; trying again in %.1f s", what, error, pause_s)
        await pause(pause_s)


def retry_blocking(
    step: Callable[[], T],
    what: str | None,
    on: type[Exception],
    backoff: Backoff,
    patience_s: Callable[[Exception], float],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The same in a thread, with an end: raises the failure that comes more than its `patience_s` after the beginning.
    Without `what` nothing is logged."""
    began_s, pauses = clock(), iter(backoff)
    while True:
        try:
            return step()
        except on as error:
            if clock() - began_s > patience_s(error):
                raise
            pause_s = next(pauses)
            if what is not None:
                log.warning("%s: %s; trying again in %.1f s", what, error, pause_s)
        sleep(pause_s)


def wait_until(
    condition: Callable[[], bool],
    timeout_s: float,
    every_s: float = 0.05,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether it holds before the time is over. It is looked at once at least."""
    deadline_s = clock() + timeout_s
    while not condition():
        if clock() > deadline_s:
            return False
        sleep(every_s)
    return True

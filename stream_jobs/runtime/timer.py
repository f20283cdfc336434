"""Work that is done again and again in a thread of its own, beside the booking of a worker."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from stream_jobs.base.errors import SpendstreamError

log = logging.getLogger(__name__)

STOP_TIMEOUT_S: Final = 5.0


class Timer:
    """Calls `tick` every `interval_s` seconds, or when it is woken, until it is stopped. An interval of 0 means never.

    `doing` completes the sentence "cannot ..." of the log. A tick that raises is told there, a SpendstreamError in one
    line and anything else with its traceback, and the next one comes as if nothing had been: booking goes on whatever
    is wrong in here. `release` lets go of what the ticks keep open: it is called in the thread after a tick that
    raised, and at the end.
    """

    def __init__(
        self,
        name: str,
        interval_s: float,
        tick: Callable[[], None],
        *,
        doing: str,
        at_once: bool = False,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._name = name
        self._interval_s = interval_s
        self._tick = tick
        self._doing = doing
        self._at_once = at_once  # the first tick comes with the start, not an interval later
        self._release = release
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Once."""
        if self._interval_s:
            self._thread.start()
        else:
            log.info("the timer %s is off: its interval is 0", self._name)

    def wake(self) -> None:
        """Tick now, or right after the tick under way."""
        self._wake.set()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """No more ticks. Waits for the one under way, but no longer than this: its thread dies with the process."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop: a long tick looks at this where it can be cut."""
        return self._stopping.is_set()

    def _run(self) -> None:
        try:
            if not self._at_once:
                self._pause()
            while not self._stopping.is_set():
                self._guarded()
                self._pause()
        finally:
            self._let_go()

    def _pause(self) -> None:
        self._wake.wait(self._interval_s)
        self._wake.clear()  # a wake that is lost here is followed by a tick all the same

    def _guarded(self) -> None:
        try:
            self._tick()
        except SpendstreamError as error:
            log.warning("cannot %s now, trying again in %g s: %s", self._doing, self._interval_s, error)
            self._let_go()
        except Exception:
            log.exception("cannot %s", self._doing)
            self._let_go()

    def _let_go(self) -> None:
        if self._release is not None:
            try:
                self._release()
            except Exception:
                log.exception("timer %s: cannot let go of what it kept", self._name)

"""A timer ticks, wakes, stops, and goes on whatever a tick raises."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.runtime.timer import Timer

NEVER_S = 3600.0
PATIENCE_S = 30.0


class Ticks:
    """Counts ticks; some of them fail."""

    def __init__(self, *failures: Exception) -> None:
        self.number = 0
        self._failures = list(failures)
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.number += 1
            self._changed.notify_all()
        if self._failures:
            raise self._failures.pop(0)

    def reached(self, number: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.number >= number, PATIENCE_S)


@contextmanager
def running(
    tick: Callable[[], None],
    interval_s: float,
    *,
    at_once: bool = False,
    release: Callable[[], None] | None = None,
) -> Iterator[Timer]:
    timer = Timer("test-timer", interval_s, tick, doing="count", at_once=at_once, release=release)
    timer.start()
    try:
        yield timer
    finally:
        timer.stop(PATIENCE_S)


def alive() -> bool:
    return any(thread.name == "test-timer" for thread in threading.enumerate())


def test_it_ticks_every_interval_until_it_is_stopped() -> None:
    """The thread is gone after the stop, and no tick comes later."""
    ticks = Ticks()
    with running(ticks, 0.001) as timer:
        assert ticks.reached(3)
        timer.stop(PATIENCE_S)
        assert not alive()
        assert timer.stopping


def test_the_first_tick_comes_at_once_if_asked_for() -> None:
    ticks = Ticks()
    with running(ticks, NEVER_S, at_once=True):
        assert ticks.reached(1)


def test_a_stop_before_the_first_interval_ends_it_without_a_tick() -> None:
    ticks = Ticks()
    with running(ticks, NEVER_S) as timer:
        timer.stop(PATIENCE_S)
        assert not alive()
    assert ticks.number == 0


def test_a_wake_is_a_tick_before_its_time() -> None:
    ticks = Ticks()
    with running(ticks, NEVER_S) as timer:
        timer.wake()
        assert ticks.reached(1)
        timer.wake()
        assert ticks.reached(2)


def test_a_wake_while_it_ticks_is_not_lost() -> None:
    """What came in while a tick was under way may not have been seen by it."""
    inside, go_on = threading.Event(), threading.Event()
    ticks = Ticks()

    def tick() -> None:
        ticks()
        inside.set()
        assert go_on.wait(PATIENCE_S)

    with running(tick, NEVER_S, at_once=True) as timer:
        assert inside.wait(PATIENCE_S)
        timer.wake()
        go_on.set()
        assert ticks.reached(2)


def test_an_interval_of_zero_is_off(caplog: pytest.LogCaptureFixture) -> None:
    ticks = Ticks()
    with caplog.at_level(logging.INFO), running(ticks, 0, at_once=True) as timer:
        timer.wake()
        assert not alive()
    assert ticks.number == 0
    assert "test-timer is off" in caplog.text


def test_what_fails_is_told_and_the_next_tick_comes(caplog: pytest.LogCaptureFixture) -> None:
    """An expected failure in one line, a defect with its traceback."""
    ticks = Ticks(StoreUnavailableError("no answer"), KeyError("a defect"))
    with running(ticks, 0.001):
        assert ticks.reached(4)
    expected, defect = caplog.records
    assert (expected.levelname, expected.exc_info) == ("WARNING", None)
    assert expected.getMessage() == "cannot count now, trying again in 0.001 s: no answer"
    assert (defect.levelname, defect.getMessage()) == ("ERROR", "cannot count")
    assert defect.exc_info is not None


def test_what_is_kept_open_is_let_go_after_a_failure_and_at_the_end() -> None:
    ticks, released = Ticks(StoreUnavailableError("no answer")), Ticks(ValueError("that fails, too"))
    with running(ticks, 0.001, release=released) as timer:
        assert ticks.reached(3)
        assert released.number == 1
        timer.stop(PATIENCE_S)
    assert released.number == 2


def test_a_stop_does_not_wait_for_a_tick_that_hangs() -> None:
    """Its thread is a daemon's; the process can end."""
    inside, go_on = threading.Event(), threading.Event()

    def tick() -> None:
        inside.set()
        assert go_on.wait(PATIENCE_S)

    with running(tick, NEVER_S, at_once=True) as timer:
        assert inside.wait(PATIENCE_S)
        timer.stop(0.01)
        assert alive()
        go_on.set()

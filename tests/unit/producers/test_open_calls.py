"""`open_calls`: a call is found by who ends it, however many are open."""

import sys
import time

import pytest

from spendstream import TrackedCall
from spendstream.open_calls import OpenCalls
from tests.unit.producers.recorder import Recorder


class Service:
    """Its methods begin and end a call, by the names of a context manager or by others."""

    def __init__(self, calls: OpenCalls) -> None:
        self._calls = calls
        self.call: TrackedCall = Recorder().track(provider="openai", model="gpt-4o").begin()

    def __enter__(self) -> None:
        self._calls.add(self.call, sys._getframe(0))

    def __exit__(self, *error: object) -> None:
        assert self._calls.pop(sys._getframe(0))[0] is self.call

    def begin(self) -> None:
        self._calls.add(self.call, sys._getframe(0))

    def finish(self) -> None:
        assert self._calls.pop(sys._getframe(0))[0] is self.call


def _seconds(count: int, names: tuple[str, str]) -> float:
    calls = OpenCalls()
    services = [Service(calls) for _ in range(count)]
    for service in services:
        getattr(service, names[0])()
    began = time.thread_time()
    for service in services:
        getattr(service, names[1])()
    assert not calls
    assert not calls._groups
    return time.thread_time() - began


@pytest.mark.parametrize("names", [("__enter__", "__exit__"), ("begin", "finish")])
def test_many_open_calls_end_in_linear_time(names: tuple[str, str]) -> None:
    """Ten times as many take about ten times as long; each finds its own."""
    few = min(_seconds(300, names) for _ in range(3))
    assert min(_seconds(3000, names) for _ in range(2)) < 50 * few

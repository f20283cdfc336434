"""Who works beside others rests five times as long as it has worked."""

import threading
import time

import pytest

from stream_jobs.forecasts.rests import Rests


def test_most_of_the_time_is_rest() -> None:
    """By CPU time: what a thread has waited for is no work, and what others do is none of its own."""
    shares: list[float] = []

    def work() -> None:
        rests = Rests()
        time.sleep(0.1)
        rests(0, 1)
        began_s, worked_s = time.monotonic(), time.thread_time()
        for slice_number in range(10):
            until_s = time.thread_time() + 0.01
            while time.thread_time() < until_s:
                pass
            rests(slice_number, 10)
        shares.append((time.thread_time() - worked_s) / (time.monotonic() - began_s))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert 0 < shares[0] <= 0.18  # less where the machine is full


def test_no_rest_is_longer_than_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    rests = Rests(share=1e9)
    monkeypatch.setattr(time, "sleep", slept.append)
    rests(0, 1)
    assert slept == [2.0]


def test_who_must_be_done_in_time_rests_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """In all three seconds; each of the first rests takes two of them."""
    slept: list[float] = []
    rests = Rests(share=1e9, most_s=3.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    for number in range(4):
        rests(number, 4)
    assert slept == [2.0, 1.0, 0.0, 0.0]

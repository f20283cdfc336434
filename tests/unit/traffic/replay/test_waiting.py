"""Waiting for the fates of what was sent, on a clock of the test's own."""

from collections.abc import Callable

import pytest

from spendstream_traffic.replay.fates import FateCounts
from spendstream_traffic.replay.ranges import SentRanges
from spendstream_traffic.replay.waiting import NotBookedError, wait_for_fates
from stream_jobs.base.errors import StoreUnavailableError

SENT = SentRanges("usage.events.v1", {0: ((0, 9),), 2: ((5, 14),)})


class Pipeline:
    """A pipeline that finishes `step` offsets of each partition per look, and time that passes with each sleep."""

    def __init__(self, step: int, stops_at: int = 10**9, counts: Callable[[int], FateCounts] | None = None) -> None:
        self.now = 0.0
        self.end = 0
        self.looks = 0
        self.failures = 0
        self._step, self._stops_at = step, stops_at
        self._counts = counts or (lambda _: FateCounts(booked=15, duplicates=3, quarantined=2, unpriced=4))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def finished_to(self, topic: str) -> dict[int, int]:
        assert topic == "usage.events.v1"
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("ClickHouse is away")
        self.end = min(self.end + self._step, self._stops_at)
        return {0: self.end, 2: self.end}

    def count(self, sent: SentRanges) -> FateCounts:
        self.looks += 1
        return self._counts(self.looks)


def wait(pipeline: Pipeline, progress: list[int] | None = None, timeout_s: float = 5.0) -> FateCounts:
    return wait_for_fates(
        pipeline,
        SENT,
        timeout_s=timeout_s,
        clock=pipeline.clock,
        sleep=pipeline.sleep,
        on_progress=(progress if progress is not None else []).append,
    )


def test_it_returns_once_every_record_has_a_fate() -> None:
    """Progress only counts our own offsets, and only grows."""
    progress: list[int] = []
    pipeline = Pipeline(step=3)
    assert wait(pipeline, progress) == FateCounts(booked=15, duplicates=3, quarantined=2, unpriced=4)
    assert progress == sorted(set(progress))
    assert progress[-1] == 20
    assert pipeline.looks == 1


def test_slow_is_not_stuck() -> None:
    """The timeout counts from the last progress, however long the whole takes."""
    pipeline = Pipeline(step=1)
    wait(pipeline, timeout_s=0.5)
    assert pipeline.now > 2.5


def test_a_pipeline_that_stops_is_told_with_what_is_missing() -> None:
    """Partition and offsets, and that nothing is lost."""
    with pytest.raises(NotBookedError) as caught:
        wait(Pipeline(step=4, stops_at=12))
    text = str(caught.value)
    assert "nothing moved for 5 s; 3 of 20 records are not finished yet" in text
    assert "partition 2: finished before offset 12, sent up to offset 14" in text
    assert "partition 0" not in text


def test_a_store_that_is_away_for_a_while_is_waited_for() -> None:
    """And named when it stays away."""
    pipeline = Pipeline(step=100)
    pipeline.failures = 3
    assert wait(pipeline).known == 20
    pipeline.failures = 10**6
    with pytest.raises(NotBookedError, match="the store could not be asked: ClickHouse is away"):
        wait(pipeline)


def test_finished_without_a_fate_is_an_error_not_a_success() -> None:
    """Receipts say done, the tables do not agree: somebody must look."""
    pipeline = Pipeline(step=100, counts=lambda _: FateCounts(booked=19))
    with pytest.raises(NotBookedError, match="all 20 records are finished, but only 19 are in the ledger"):
        wait(pipeline)


def test_rows_that_become_visible_a_moment_later_are_waited_for() -> None:
    """A replica may be a little behind."""
    assert wait(Pipeline(step=100, counts=lambda look: FateCounts(booked=min(20, 15 + look)))).booked == 20


def test_nothing_sent_is_done_at_once() -> None:
    """An empty file does not wait for its timeout."""
    pipeline = Pipeline(step=0, counts=lambda _: FateCounts())
    counts = wait_for_fates(pipeline, SentRanges("usage.events.v1", {}), timeout_s=5, clock=pipeline.clock)
    assert counts == FateCounts()

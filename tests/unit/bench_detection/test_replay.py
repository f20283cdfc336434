"""Traffics go through a detector side by side, and what it says returns to the traffic that it is about."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from stream_jobs.detection.model import Finding, Floats, Minute
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE, Spec, Traffic, generate
from tests.benchmarks.detection.replay import replay


class Recorder:
    """Says that a series is unusual while its cost is above a bound, and keeps what it was given."""

    def __init__(self) -> None:
        self.series = 0
        self.minutes: list[Minute] = []
        self.open: dict[int, int] = {}

    def add(self, names: Sequence[str]) -> None:
        self.series += len(names)

    def advance(self, minute: Minute) -> list[Finding]:
        self.minutes.append(minute)
        told = []
        for number in range(self.series):
            if minute.cost[number] > 100 and number not in self.open:
                self.open[number] = minute.at + 1
                told.append(finding(number, minute.at + 1, None))
            elif minute.cost[number] <= 100 and number in self.open:
                told.append(finding(number, self.open.pop(number), minute.at))
        return told

    def scores(self) -> Floats:
        return np.zeros(self.series)

    def dump(self) -> bytes:
        return b""

    @classmethod
    def load(cls, state: bytes) -> Self:
        return cls()


def finding(number: int, detected_at: int, end: int | None) -> Finding:
    return Finding(
        number, detected_at - 1, detected_at, end, "up", "spike", "1m", 1.0, 2.0, 0.0, 1.0, 9.0, "warning", 1.0
    )  # fmt: skip


def traffic(series: int, *peaks: tuple[int, int]) -> Traffic:
    made = generate(Spec(rate=1, series=series, weeks=0, days=2), 3)
    for number, minute in peaks:
        made.cost[number, minute] = 200
    return made


def test_each_traffic_gets_what_is_said_of_it() -> None:
    """By the numbers of its own series; of a finding, its last word."""
    said = replay([traffic(2, (1, 70)), traffic(3, (0, 2000), (2, 2 * DAY - 1))], Recorder())
    first = FIRST_MINUTE
    assert said[0] == [Found(1, first + 70, first + 71, first + 71, "up", "spike 1m")]
    last = first + 2 * DAY - 1
    assert said[1] == [
        Found(0, first + 2000, first + 2001, first + 2001, "up", "spike 1m"),
        Found(2, last, last + 1, None, "up", "spike 1m"),
    ]


def test_every_minute_is_given_once_and_in_order() -> None:
    """With events, costs and squares as they were generated."""
    detector, one, other = Recorder(), traffic(2), traffic(1)
    replay([one, other], detector)
    assert [minute.at for minute in detector.minutes] == list(range(FIRST_MINUTE, FIRST_MINUTE + 2 * DAY))
    for name in ("events", "cost", "squares"):
        given = np.stack([getattr(minute, name) for minute in detector.minutes])
        assert np.array_equal(given, np.concatenate([getattr(one, name), getattr(other, name)]).T)

"""Minutes through the real detector, many series side by side."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from stream_jobs.detection.detector import CostDetector
from stream_jobs.detection.model import Detector, Finding, Floats, Minute
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.generator import DAY, HOUR, WEEK, Traffic
from tests.benchmarks.detection.ours import new_detector


class Findings:
    """The last word of each finding. One is told apart by its series, its direction and when it was detected; and a
    dear request from what else is found then."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str, bool, int], Finding] = {}

    def take(self, told: Sequence[Finding]) -> None:
        for one in told:
            self._last[one.number, one.direction, one.kind == "dear_request", one.detected_at] = one

    def all(self) -> list[Finding]:
        return list(self._last.values())


def minutes_of(first: int, arrays: Sequence[Floats]) -> Iterator[Minute]:
    """Of events, cost and squares, [minutes, series] each."""
    for at, (events, cost, squares) in enumerate(zip(*arrays, strict=True), first):
        yield Minute(at, events, cost, squares)


def advance_all(detector: Detector, minutes: Iterable[Minute], into: Findings) -> None:
    for minute in minutes:
        into.take(detector.advance(minute))


def replay(
    traffics: Sequence[Traffic], detector: Detector | None = None, from_hours: bool = False
) -> list[list[Found]]:
    """What the detector says of each traffic; all are equally long, with the same history.

    As when a file is scanned, all is judged from the first minute on. `from_hours`: all but the last week of the
    history is learned from its hours, as the job does when it starts."""
    detector = detector or new_detector()
    offsets = np.cumsum([0, *(len(traffic.events) for traffic in traffics)])
    series = int(offsets[-1])
    detector.add([f"s{number}" for number in range(series)])
    findings, first, minutes = Findings(), traffics[0].first, traffics[0].events.shape[1]
    history = traffics[0].history_ends - first
    hours = max(0, history - WEEK) if from_hours else 0
    if hours and isinstance(detector, CostDetector):
        events, cost, squares = (_by_hour(part).T for part in _side_by_side(traffics, 0, hours))
        detector.warm(first, events, cost, squares)
    advance_all(detector, _minutes(traffics, hours, minutes), findings)
    found: list[list[Found]] = [[] for _ in traffics]
    for one in findings.all():
        which = int(np.searchsorted(offsets, one.number, side="right")) - 1
        number = one.number - int(offsets[which])
        what = f"{one.kind} {one.scale}"
        found[which].append(Found(number, one.start, one.detected_at, one.end, one.direction, what))
    return found


def _minutes(traffics: Sequence[Traffic], begin: int, end: int) -> Iterator[Minute]:
    """A day of arrays at a time."""
    for day in range(begin, end, DAY):
        arrays = _side_by_side(traffics, day, min(day + DAY, end))
        yield from minutes_of(traffics[0].first + day, [np.ascontiguousarray(part) for part in arrays])


def _side_by_side(traffics: Sequence[Traffic], begin: int, end: int) -> list[Floats]:
    """Events, cost and squares of some minutes: [minutes, series]."""
    parts = (
        [traffic.events[:, begin:end] for traffic in traffics],
        [traffic.cost[:, begin:end] for traffic in traffics],
        [traffic.squares[:, begin:end] for traffic in traffics],
    )
    return [np.concatenate(part).T.astype(np.float64) for part in parts]


def _by_hour(values: Floats) -> Floats:
    return np.asarray(values.reshape(-1, HOUR, values.shape[1]).sum(axis=1))

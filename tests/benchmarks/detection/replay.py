"""Minutes through the real detector, many series side by side."""

from collections.abc import Sequence

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


def advance_all(detector: Detector, first: int, arrays: Sequence[Floats], into: Findings) -> None:
    """Through minutes of events, cost and squares, [minutes, series] each."""
    events, cost, squares = arrays
    for minute in range(len(events)):
        into.take(detector.advance(Minute(first + minute, events[minute], cost[minute], squares[minute])))


def replay(
    traffics: Sequence[Traffic], detector: Detector | None = None, from_hours: bool = False
) -> list[list[Found]]:
    """What the detector says of each traffic; all are equally long, with the same history. `from_hours`: it learns from
    the hours of all but the last week of the history, as the job does when it starts; that takes our own detector."""
    detector = detector or new_detector()
    offsets = np.cumsum([0, *(len(traffic.events) for traffic in traffics)])
    detector.add([f"s{number}" for number in range(int(offsets[-1]))])
    findings, first, minutes = Findings(), traffics[0].first, traffics[0].events.shape[1]
    warm = max(0, traffics[0].history_ends - first - WEEK) if from_hours else 0
    if warm:
        assert isinstance(detector, CostDetector)
        detector.warm(first, *(_by_hour(part).T for part in _side_by_side(traffics, 0, warm)))
    for begin in range(warm, minutes, DAY):
        arrays = _side_by_side(traffics, begin, begin + DAY)
        advance_all(detector, first + begin, [np.ascontiguousarray(part) for part in arrays], findings)
    found: list[list[Found]] = [[] for _ in traffics]
    for one in findings.all():
        which = int(np.searchsorted(offsets, one.number, side="right")) - 1
        number = one.number - int(offsets[which])
        found[which].append(
            Found(number, one.start, one.detected_at, one.end, one.direction, f"{one.kind} {one.scale}")
        )
    return found


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

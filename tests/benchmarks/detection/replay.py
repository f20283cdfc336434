"""Minutes through the real detector, many series side by side."""

from collections.abc import Sequence

import numpy as np

from stream_jobs.detection.model import Detector, Finding, Floats, Minute
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.generator import DAY, Traffic


class Findings:
    """The last word of each finding. A finding is told apart by its series, its direction and when it was detected."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str, str, int], Finding] = {}

    def take(self, told: Sequence[Finding]) -> None:
        for one in told:
            self._last[one.number, one.direction, one.kind, one.detected_at] = one

    def all(self) -> list[Finding]:
        return list(self._last.values())


def advance_all(detector: Detector, first: int, arrays: Sequence[Floats], into: Findings) -> None:
    """Through minutes of events, cost and squares, [minutes, series] each."""
    events, cost, squares = arrays
    for minute in range(len(events)):
        into.take(detector.advance(Minute(first + minute, events[minute], cost[minute], squares[minute])))


def replay(traffics: Sequence[Traffic], detector: Detector | None = None) -> list[list[Found]]:
    """What the detector says of each traffic; all are equally long and begin at the same minute."""
    from tests.benchmarks.detection.ours import new_detector

    detector = detector or new_detector()
    offsets = np.cumsum([0, *(len(traffic.events) for traffic in traffics)])
    detector.add([f"s{number}" for number in range(int(offsets[-1]))])
    findings, first = Findings(), traffics[0].first
    for begin in range(0, traffics[0].events.shape[1], DAY):
        day = slice(begin, begin + DAY)
        arrays = [
            np.ascontiguousarray(np.concatenate(parts).T, dtype=np.float64)
            for parts in (
                [traffic.events[:, day] for traffic in traffics],
                [traffic.cost[:, day] for traffic in traffics],
                [traffic.squares[:, day] for traffic in traffics],
            )
        ]
        advance_all(detector, first + begin, arrays, findings)
    found: list[list[Found]] = [[] for _ in traffics]
    for one in findings.all():
        which = int(np.searchsorted(offsets, one.number, side="right")) - 1
        number = one.number - int(offsets[which])
        found[which].append(Found(number, one.start, one.detected_at, one.end, one.direction))
    return found

"""From points that are out of the band to findings, in the way of all peers: neighbours are one finding."""

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.model import Direction, Floats
from tests.benchmarks.detection.found import Found

Marks = npt.NDArray[np.bool_]


def totals(cost: Floats, minutes: int) -> Floats:
    """Of [series, minutes]: sums of so many minutes each, without the last ones that do not fill one."""
    whole = cost.shape[1] // minutes
    return np.asarray(cost[:, : whole * minutes].reshape(len(cost), whole, minutes).sum(axis=2))


def findings(above: Marks, below: Marks, step: int, first: int) -> list[Found]:
    """Of marks [series, points], a point every `step` minutes. A point is judged when it is complete; a finding begins
    with its first point, is detected at that one's end, and ends with the first point that is within the band."""
    found: list[Found] = []
    directions: tuple[tuple[Marks, Direction], ...] = ((above, "up"), (below, "down"))
    for marks, direction in directions:
        edges = np.diff(np.pad(marks.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        starts, ends = np.nonzero(edges == 1), np.nonzero(edges == -1)
        for number, begin, end in zip(*starts, ends[1], strict=True):
            last = first + int(end) * step if end < marks.shape[1] else None
            start = first + int(begin) * step
            found.append(Found(int(number), start, start + step, last, direction))
    return found

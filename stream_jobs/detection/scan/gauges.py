"""Values replayed in the order of time: series with the same step side by side, each judged by its own past alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.gauge import GaugeDetector
from stream_jobs.detection.model import Finding
from stream_jobs.timed_csv.instants import MINUTE_MICROS
from stream_jobs.timed_csv.reading import Rows, Told

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
DAY: Final = 1440
_TOLD_EVERY: Final = 500


@dataclass(frozen=True, slots=True)
class Points:
    """One value per series and minute, ordered by series and time."""

    at: Integers  # minutes since 1970
    values: Floats
    first: Integers  # of each series, its first point; and one more
    of_row: Integers  # which point each row of the file is (part of)

    def steps(self) -> list[int]:
        """Of each series the median gap, in minutes: the one thing that is taken from the whole file."""
        steps = []
        for low, high in zip(self.first[:-1], self.first[1:], strict=True):
            gaps = np.diff(self.at[low:high])
            steps.append(int(np.clip(np.median(gaps), 1, DAY)) if len(gaps) else 1)
        return steps


def points_of(rows: Rows) -> Points:
    """Values of the same series and minute become their mean (costs their sum), whatever their order in the file; one
    that is empty is a gap, whatever stands beside it."""
    minutes, values = rows.micros // MINUTE_MICROS, rows.numbers["value"]
    order = np.lexsort((values, minutes, rows.series))
    at, series = minutes[order], rows.series[order]
    new = np.append(True, (np.diff(at) != 0) | (np.diff(series) != 0))
    starts = np.flatnonzero(new)
    counts = 1 if rows.columns.adds_up else np.diff(np.append(starts, len(order)))
    of_row = np.empty(len(order), np.int64)
    of_row[order] = np.cumsum(new) - 1
    first = np.searchsorted(series[starts], np.arange(len(rows.names) + 1))
    return Points(at[starts], np.add.reduceat(values[order], starts) / counts, first, of_row)


def replay(points: Points, names: list[str], told: Told) -> tuple[list[tuple[str, Finding]], Floats]:
    """Every finding once, as it was at last; and how surprising each point was, in nats."""
    steps = np.array(points.steps())
    surprise = np.zeros(len(points.at))
    found: dict[tuple[int, int], Finding] = {}
    done = 0
    for step in np.unique(steps):
        group = np.flatnonzero(steps == step)
        group = group[np.argsort(-np.diff(points.first)[group], kind="stable")]  # those that end first are last
        detector = GaugeDetector(int(step))
        detector.add([names[number] for number in group])
        lengths = np.diff(points.first)[group]
        for place in range(int(lengths[0])):
            there = np.arange(int(np.searchsorted(-lengths, -place, side="left")))
            which = points.first[group[there]] + place
            known = np.isfinite(points.values[which])
            for finding in detector.take(there[known], points.at[which[known]], points.values[which[known]]):
                found[int(group[finding.number]), finding.detected_at] = finding
            surprise[which] = detector.scores()[there]
            done += len(there)
            if not place % _TOLD_EVERY:
                told(done, len(points.at))
        for finding in detector.open_findings():
            found[int(group[finding.number]), finding.detected_at] = finding
    told(len(points.at), len(points.at))
    return [(names[number], finding) for (number, _), finding in found.items()], surprise


def news(points: Points, surprise: Floats, hold: int) -> Floats:
    """The surprise of each point, 0 where one of the `hold` values before it was as surprising: what goes on is no
    news. Known at the point itself, like the surprise."""
    fresh = np.zeros(len(surprise))
    for low, high in zip(points.first[:-1].tolist(), points.first[1:].tolist(), strict=True):
        own = surprise[low:high]
        padded = np.concatenate([np.full(hold, -1.0), own[:-1]]) if len(own) else own
        before = np.lib.stride_tricks.sliding_window_view(padded, hold).max(axis=1) if len(own) else own
        fresh[low:high] = np.where(own > before, own, 0.0)
    return fresh

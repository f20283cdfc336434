"""The Numenta Anomaly Benchmark's score, re-stated from its description and its published results.

A file has labelled windows. Of the alarms within a window only the first counts: the earlier, the more. Each alarm
outside of windows costs: a little right behind a window, all of `false_positive` far from one. Each window without an
alarm costs `false_negative`. The first 15 % of a file (750 points at most) do not count. All files together are scaled
so that saying nothing is 0 and a perfect detector 100.
Source: Lavin, Ahmad: Evaluating Real-time Anomaly Detection Algorithms (2015), https://arxiv.org/abs/1510.03336.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
PROBATION_SHARE: Final = 0.15
PROBATION_POINTS: Final = 750
_FLAT_AFTER: Final = 3.0  # widths of a window behind it: from here on an alarm costs all


@dataclass(frozen=True, slots=True)
class Profile:
    """What a false alarm and a missed window cost, where a window found at its very beginning pays 1."""

    false_positive: float
    false_negative: float


PROFILES: Final = {
    "standard": Profile(0.11, 1.0),
    "reward_low_FP_rate": Profile(0.22, 1.0),
    "reward_low_FN_rate": Profile(0.11, 2.0),
}


@dataclass(frozen=True, slots=True)
class Scored:
    """One file: a score per point, and its windows as (first, last) points, in order."""

    scores: Floats
    windows: tuple[tuple[int, int], ...]


def probation(points: int) -> int:
    """How many points at the beginning do not count."""
    return min(math.floor(PROBATION_SHARE * points), PROBATION_POINTS)


def sigmoid(position: float) -> float:
    """From nearly 1 at the beginning of a window (-1) over 0 at its end (0) to -1 far behind it."""
    return -1.0 if position > _FLAT_AFTER else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def worth(points: int, windows: Sequence[tuple[int, int]]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Of an alarm at each point: what it pays as the first of its window (≤ 1), or costs (< 0, before weights), and the
    number of its window, -1 outside of windows and -2 in the probation."""
    value, owner = np.full(points, -1.0), np.full(points, -1, dtype=np.int64)
    for number, (first, last) in enumerate(windows):
        width = last - first + 1
        for point in range(first, last + 1):
            value[point] = sigmoid(-(last - point + 1) / width) / sigmoid(-1.0)
            owner[point] = number
        until = windows[number + 1][0] if number + 1 < len(windows) else points
        for point in range(last + 1, until):
            value[point] = sigmoid((point - last) / max(width - 1, 1))
    owner[: probation(points)] = -2
    return value, owner


def sweep(files: Sequence[Scored], profile: Profile) -> tuple[Floats, Floats]:
    """The score at every threshold that makes a difference: (thresholds, falling; scores, 0 to 100 and below). An
    alarm is a point whose score is at or above the threshold."""
    changes: list[tuple[Floats, Floats]] = []
    for file in files:
        value, owner = worth(len(file.scores), file.windows)
        outside = owner == -1
        changes.append((file.scores[outside], value[outside] * profile.false_positive))
        for number in range(len(file.windows)):
            inside = np.flatnonzero(owner == number)
            order = inside[np.argsort(-file.scores[inside], kind="stable")]
            best = np.maximum.accumulate(value[order]) if len(order) else np.empty(0)
            gained = np.diff(best, prepend=-profile.false_negative)
            changes.append((file.scores[order], gained))
    at = np.concatenate([one for one, _ in changes])
    gained = np.concatenate([one for _, one in changes])
    order = np.argsort(-at, kind="stable")
    at, raw = at[order], np.cumsum(gained[order])
    last_of_equals = np.flatnonzero(np.append(np.diff(at) != 0, True))
    thresholds = np.concatenate([[np.inf], at[last_of_equals]])
    raws = np.concatenate([[0.0], raw[last_of_equals]])
    whole = most(files, profile)
    return thresholds, 100.0 * raws / whole if whole else raws


def most(files: Sequence[Scored], profile: Profile) -> float:
    """Points of a perfect detector, over those of one that says nothing."""
    return sum(len(file.windows) for file in files) * (1.0 + profile.false_negative)


def best(files: Sequence[Scored], profile: Profile) -> tuple[float, float]:
    """The threshold that pays most, and what it pays."""
    thresholds, scores = sweep(files, profile)
    top = int(np.argmax(scores))
    return float(thresholds[top]), float(scores[top])


def score_at(files: Sequence[Scored], profile: Profile, threshold: float) -> float:
    """What a given threshold pays."""
    thresholds, scores = sweep(files, profile)
    return float(scores[np.flatnonzero(thresholds >= threshold)[-1]])


def points_at(files: Sequence[Scored], profile: Profile, threshold: float) -> float:
    """The same in points, before it is scaled."""
    return score_at(files, profile, threshold) * (most(files, profile) / 100.0 or 1.0)


def alarms(file: Scored, threshold: float) -> int:
    """Points at or above the threshold behind the probation."""
    return int(np.count_nonzero(file.scores[probation(len(file.scores)) :] >= threshold))

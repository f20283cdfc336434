"""Finds what is unusual in gauges: series of one value per step, in any unit, which may be negative and have gaps.

For the drivers of a cost (tokens per request, price per token, cache rate, error rate, utilization) and for what
`spendstream anomalies scan` reads as `value`. Each value is looked at through LENSES, each of which is calibrated by
its own past (gauge_tail.py); the most surprised one speaks:

- novelty: how far the value is from any that the series ever had (gauge_values.py)
- level: how far the last three are from the usual level, in units of the usual distance (gauge_level.py)
- season: how far they are from the same time on earlier days (gauge_season.py)
- off: how far they are from whatever predicted this series best so far: its level, its day or its week

Nothing but the past and the step is known to it, not even a range. The same values give the same findings, bit by bit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.gauge_level import Level
from stream_jobs.detection.gauge_life import Lives, Look
from stream_jobs.detection.gauge_season import Season
from stream_jobs.detection.gauge_state import pack, unpack
from stream_jobs.detection.gauge_tail import Tails
from stream_jobs.detection.gauge_values import KnownValues
from stream_jobs.detection.model import Finding

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
LENSES: Final = ("novelty", "level", "season", "off")
_OFF: Final = 3
_LEAST_SEEN: Final = 20
"""Values before a level is one."""
_LEAST_SCALE: Final = 1e-9
"""Of the usual distance from the level, as a share of the level: rounding is no change."""
_TINY: Final = 1e-300
_MEMORY: Final = 0.01
"""Weight of the newest error, of those that tell which prediction is best."""
MAX_SIZE: Final = 1e100
"""A value beyond this is taken as this: its square is still a number."""


class GaugeDetector:
    """Judges series with the same step side by side. As model.Detector, but takes values instead of minutes."""

    def __init__(self, step: int = 1) -> None:
        """`step`: minutes from one value to the next, 1 to 1440. It sets how long memories are, and how rare a finding
        must be; values may come at other times."""
        if not 1 <= step <= 1440:
            raise ValueError(f"a step of {step} minutes: 1 to 1440 are possible")
        self.step = step
        self.names: list[str] = []
        self._known, self._level, self._season = KnownValues(), Level(step), Season(step)
        self._tails, self._lives = Tails(len(LENSES)), Lives(step)
        self._errors = np.zeros((0, 3))  # of the three predictions, in the gauge's unit
        self._scores = np.zeros(0)
        self._parts = (self._known, self._level, self._season, self._tails, self._lives)

    def add(self, names: Sequence[str]) -> None:
        """More series, numbered on from those that are there."""
        more = len(names)
        self.names.extend(names)
        for part in self._parts:
            part.grow(more)
        self._errors = np.concatenate([self._errors, np.full((more, 3), np.nan)])
        self._scores = np.concatenate([self._scores, np.zeros(more)])

    def reuse(self, numbers: Sequence[int], names: Sequence[str]) -> None:
        """Other series have these numbers from now on; what was learned of those before is forgotten."""
        fresh = GaugeDetector(self.step)
        fresh.add(names)
        where = list(numbers)
        for part, new in zip(self._parts, fresh._parts, strict=True):
            held = _kept(part)
            for name, values in _kept(new).items():
                held[name][where] = values
        self._errors[where], self._scores[where] = np.nan, 0.0
        for number, name in zip(where, names, strict=True):
            self.names[number] = name

    def advance(self, at: int, values: Floats, known: npt.NDArray[np.bool_] | None = None) -> list[Finding]:
        """Take the values of all series at an instant (minutes since 1970, rising from call to call); what is NaN or
        not `known` is a gap. Returns the findings that it opened, closed, or made of another kind or severity. A
        value is judged as one of the step that begins at `at`: a finding's `detected_at` is `at` + `step`."""
        there = np.isfinite(values) if known is None else np.isfinite(values) & known
        series = np.flatnonzero(there)
        return self.take(series, np.full(len(series), at, np.int64), values[series])

    def take(self, series: Numbers, at: npt.NDArray[np.int64], values: Floats) -> list[Finding]:
        """Values of some series, each at an instant of its own: series do not know of each other. No series twice."""
        self._scores[:] = 0.0
        if not len(series):
            return []
        values = np.clip(values, -MAX_SIZE, MAX_SIZE)
        means = self._level.push(series, values)
        predictions = np.stack([self._level.centre[series], *self._season.expected(series, at)], axis=1)
        predictions[self._level.seen[series] < _LEAST_SEEN, 0] = np.nan
        errors = np.abs(means[:, None] - predictions)
        expected = self._best(series, predictions)
        scale = np.maximum(self._level.scale[series], _LEAST_SCALE * np.abs(self._level.centre[series]) + _TINY)
        off = np.abs(means - expected)
        figures = np.stack([self._known.learn(series, values), errors[:, 0] / scale, errors[:, 1], off], axis=1)
        surprises, usual = self._tails.surprise(series, figures)
        self._scores[series] = surprises.max(axis=1)
        look = Look(series, at, values, means, expected, usual[:, _OFF], self._scores[series])
        changed = self._lives.take(look)
        learn = self._lives.may_learn(series, at)
        self._tails.learn(series[learn], figures[learn])
        self._level.learn(series, values)
        self._season.learn(series, at, values)
        old = self._errors[series]
        fresh = np.where(np.isnan(old), errors, old + _MEMORY * (errors - old))
        self._errors[series] = np.where(np.isnan(errors), old, fresh)
        return changed

    def scores(self) -> Floats:
        """Of each series at the last call: its surprise in nats, 0 where it is as usual or had no value."""
        return self._scores.copy()

    def open_findings(self) -> list[Finding]:
        """Those that stand, as they are now."""
        return self._lives.open()

    def _best(self, series: Numbers, predictions: Floats) -> Floats:
        """The prediction whose error was the least lately; NaN where there is none."""
        errors = np.where(np.isnan(predictions), np.inf, np.nan_to_num(self._errors[series], nan=1e300))
        return np.asarray(predictions[np.arange(len(series)), np.argmin(errors, axis=1)])

    def dump(self) -> bytes:
        """All of its state; `load` goes on as if nothing had happened."""
        return pack(self.step, self.names, [_kept(part) for part in self._parts], {"_errors": self._errors})

    @classmethod
    def load(cls, state: bytes) -> Self:
        """Raises ValueError for what is no state, or one of another version."""
        step, names, parts, own = unpack(state)
        detector = cls(step)
        detector.add(names)
        if len(parts) != len(detector._parts):
            raise ValueError(f"a gauge detector's state of {len(parts)} parts: this one has {len(detector._parts)}")
        for part, kept in zip(detector._parts, parts, strict=True):
            for name, value in _fitting(kept, _kept(part)).items():
                if hasattr(part, "held"):
                    part.held[name] = value
                else:
                    setattr(part, name, value)
        detector._errors = _fitting(own, {"_errors": detector._errors})["_errors"]
        return detector


def _kept(part: object) -> dict[str, npt.NDArray[Any]]:
    """What changes in a part: its arrays."""
    held = vars(part).get("held", vars(part))
    return {name: value for name, value in held.items() if isinstance(value, np.ndarray)}


def _fitting(
    kept: Mapping[str, npt.NDArray[Any]], fresh: Mapping[str, npt.NDArray[Any]]
) -> Mapping[str, npt.NDArray[Any]]:
    """`kept`, where these are the arrays that a detector has, of its shapes. Raises ValueError."""
    form, wanted = ({name: (one.shape, one.dtype) for name, one in arrays.items()} for arrays in (kept, fresh))
    if form != wanted:
        raise ValueError(f"this state of a gauge detector is damaged: it has not the arrays of one: {sorted(kept)}")
    return kept

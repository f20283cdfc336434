"""Finds what is unusual in gauges: series of one value per step, in any unit, which may be negative and have gaps.

For the drivers of a cost (tokens per request, price per token, cache rate, error rate, utilization) and for what
`spendstream anomalies scan` reads as `value`. Each value is looked at through LENSES, each of which is calibrated by
its own past (gauge_tail.py); the most surprised one speaks:

- novelty: how far the value is from any that the series ever had (gauge_values.py)
- level: how far the last three are from the usual level, in units of the usual distance (gauge_level.py)
- season: how far they are from the same time on earlier days (gauge_season.py)
- off: how far they are from whatever predicted this series best so far: its level, its day or its week
- one, and windows: how far the value alone, and hours and days together, are from that prediction, by its own past
  errors (gauge_track.py, gauge_window.py)

Nothing but the past and the step is known to it, not even a range. The same values give the same findings, bit by bit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import gauge_track
from stream_jobs.detection.gauge_level import Level
from stream_jobs.detection.gauge_life import UNEASY, Lives
from stream_jobs.detection.gauge_look import Look
from stream_jobs.detection.gauge_recent import Recent
from stream_jobs.detection.gauge_season import DAY, Season
from stream_jobs.detection.gauge_state import pack, unpack
from stream_jobs.detection.gauge_tail import Tails
from stream_jobs.detection.gauge_track import LEAST_DAYS, MEAN, ONE, SUSPICIOUS, TRACKS, WINDOWS
from stream_jobs.detection.gauge_values import KnownValues
from stream_jobs.detection.gauge_window import Windows
from stream_jobs.detection.model import Finding

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
LENSES: Final = ("novelty", "level", "season", "off")
_SEASON: Final = 2
_DAILY: Final = 720
"""Minutes of a step from which on a value is not told that is near to what was predicted."""
_AGREES: Final = 0.7
"""Nats by which another lens may be more surprised then than the prediction is."""
_NEARLY: Final = 0.3
"""Nats below the threshold, from which on a figure is suspicious where that is low."""
_OUTLIER: Final = 4.0
"""Usual errors that one counts at most."""
_MONDAY: Final = 3
"""1970 began on a Thursday."""
_LEAST_SEEN: Final = 20
"""Values before a level is one."""
_LEAST_SCALE: Final = 1e-9
"""Of the usual distance from the level, as a share of the level: rounding is no change."""
_TINY: Final = 1e-300
_MEMORY: Final = (100, 400)
"""Values that tell which prediction is best: a week's, but no fewer and no more."""
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
        self._recent, self._windows = Recent(TRACKS), Windows(step)
        self._tails, self._lives = Tails(len(LENSES)), Lives(step)
        self._track_tails = Tails(WINDOWS + len(self._windows.spans))
        self._errors = np.zeros((0, TRACKS))  # of the predictions, in the gauge's unit
        self._memory = 1 / float(np.clip(7 * DAY / step, *_MEMORY))
        self._scores = np.zeros(0)
        self._parts = (
            self._known, self._level, self._season, self._recent, self._windows, self._tails, self._lives,
            self._track_tails,
        )  # fmt: skip

    def add(self, names: Sequence[str]) -> None:
        """More series, numbered on from those that are there."""
        more = len(names)
        self.names.extend(names)
        for part in self._parts:
            part.grow(more * (TRACKS if part in (self._windows, self._track_tails) else 1))
        self._errors = np.concatenate([self._errors, np.full((more, TRACKS), np.nan)])
        self._scores = np.concatenate([self._scores, np.zeros(more)])

    def reuse(self, numbers: Sequence[int], names: Sequence[str]) -> None:
        """Other series have these numbers from now on; what was learned of those before is forgotten."""
        fresh = GaugeDetector(self.step)
        fresh.add(names)
        where = list(numbers)
        for part, new in zip(self._parts, fresh._parts, strict=True):
            held = _kept(part)
            for name, values in _kept(new).items():
                each = len(values) // max(len(names), 1)
                held[name][[place * each + number for place in where for number in range(each)]] = values
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
        values = self._level.snapped(series, np.clip(values, -MAX_SIZE, MAX_SIZE))
        predictions = np.concatenate([self._level.centre[series][:, None], self._season.expected(series, at)], axis=1)
        predictions[self._level.seen[series] < _LEAST_SEEN, 0] = np.nan
        residuals = values[:, None] - predictions
        means = self._recent.push(series, residuals)
        best = self._best(series, predictions)
        rows = np.arange(len(series))
        expected, mean = predictions[rows, best], means[rows, best]
        errors = np.abs(means)
        scale = np.maximum(self._level.scale[series], _LEAST_SCALE * np.abs(self._level.centre[series]) + _TINY)
        figures = np.stack(
            [self._known.learn(series, values), errors[:, 0] / scale, errors[:, 1], np.abs(mean)], axis=1
        )
        surprises, _ = self._tails.surprise(series, figures)
        tracks, instants = gauge_track.number_of(series), np.repeat(at, TRACKS)
        deviates = self._windows.deviates(tracks, instants, residuals.ravel())
        sums, drifts = self._windows.push(tracks, instants, deviates, np.repeat(values, TRACKS), predictions.ravel())
        own = np.abs(np.concatenate([means.ravel()[:, None], deviates[:, None], sums], axis=1))
        chosen = rows * TRACKS + best
        spans = self._windows.spans
        every, usual = gauge_track.surprise(self._track_tails, tracks, own, drifts, spans, self.step)
        one, windows = every[chosen, ONE], every[chosen, WINDOWS:]
        if self.step >= _DAILY:  # over months growth makes every value one that never was
            surprises = np.minimum(surprises, np.maximum(one, windows.max(axis=1))[:, None] + _AGREES)
        unseen = (at // DAY + _MONDAY) % 7 >= 5  # how much a weekend differs
        unseen &= self._level.seen[series] < LEAST_DAYS * DAY / self.step
        surprises[unseen, _SEASON:] = np.minimum(surprises[unseen, _SEASON:], UNEASY)
        fast, slow = np.maximum(surprises.max(axis=1), one), windows.max(axis=1)
        look = Look(
            series, at, values, expected + mean, expected, usual[chosen, MEAN], fast, slow, windows.argmax(axis=1),
            drifts[chosen], *self._windows.run(tracks[chosen]),
        )  # fmt: skip
        changed = self._lives.take(look)
        self._scores[series] = np.where(self._lives.opened_slowly(series, at), np.maximum(fast, slow), fast)
        learn = self._lives.may_learn(series, at)
        self._tails.learn(series[learn], figures[learn])
        odd, young = self._lives.stands(series, at)
        suspicious = every >= min(SUSPICIOUS, self._lives.threshold - _NEARLY)
        own = np.where(suspicious & ~np.repeat(odd, TRACKS)[:, None], np.nan, own)
        taught, sound = np.repeat(learn, TRACKS), np.repeat(~young, TRACKS)
        self._track_tails.learn(tracks[taught], own[taught])
        self._windows.learn(tracks[sound], instants[sound], residuals.ravel()[sound])
        over = np.array([one.number for one in changed if one.end is not None], np.intp)
        self._windows.forget(gauge_track.number_of(over))
        self._level.learn(series, values)
        self._season.learn(series, at, values, odd)
        old = self._errors[series]
        bounded = np.where(old > 0, np.minimum(errors, _OUTLIER * old), errors)
        fresh = np.where(np.isnan(old), errors, old + self._memory * (bounded - old))
        self._errors[series] = np.where(np.isnan(errors) | young[:, None], old, fresh)
        return changed

    def scores(self) -> Floats:
        """Of each series at the last call: its surprise in nats, 0 where it is as usual or had no value."""
        return self._scores.copy()

    def open_findings(self) -> list[Finding]:
        """Those that stand, as they are now."""
        return self._lives.open()

    def _best(self, series: Numbers, predictions: Floats) -> Numbers:
        """Which prediction's error was the least lately."""
        errors = np.where(np.isnan(predictions), np.inf, np.nan_to_num(self._errors[series], nan=1e300))
        return np.asarray(np.argmin(errors, axis=1), np.intp)

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

"""How far off values are in units of their usual distance, and how this adds up over hours and days.

The usual distance is that of the same hour of day (of values of a day: the same weekday), drawn towards that of all
hours as long as few were seen. What adds up are exponentially weighted sums of deviates, as in Roberts's control chart
(Technometrics 1, 1959): a level that is a little off for long is far off in them, and no value weighs much.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Minutes = npt.NDArray[np.int64]
DAY: Final = 1440
HOURS: Final = 24
SPANS: Final = (360, 1440, 4320)
"""Minutes within which a sum forgets all but the e-th part."""
LEAST_SPAN: Final = 6
"""Values that it holds at least."""
LEAST_SEEN: Final = 20
"""Values before a usual distance is one."""
WINSOR: Final = 8.0
"""A deviate adds so much at most: one value is no level."""
OUTLIER: Final = 4.0
"""Usual distances that a value teaches at most."""
SIGMA: Final = 1.2533
"""Of a normal distribution, over its mean distance."""
MEMORY: Final = 500
DAYS_KNOWN: Final = 30.0
PRIOR_DAYS: Final = 10.0
_TINY: Final = 1e-300
_MOST: Final = 1e9


class Windows:
    """Arrays of [series, span], and [series, hour]."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.spans = tuple(dict.fromkeys(max(LEAST_SPAN, round(span / step)) for span in SPANS))
        self.keep = 1 - 1 / np.array(self.spans)
        self.held: dict[str, Floats] = {name: np.zeros((0, *shape)) for name, shape in self._shapes().items()}

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        spans = (len(self.spans),)
        flat = ("all", "seen", "run_since", "run_count", "run_actual", "run_expected")
        return {
            "sums": spans,
            "squares": spans,
            "weights": spans,
            "hours": (HOURS,),
            "known": (HOURS,),
        } | dict.fromkeys(flat, ())

    def grow(self, more: int) -> None:
        for name, shape in self._shapes().items():
            self.held[name] = np.concatenate([self.held[name], np.zeros((more, *shape))])

    def _hour(self, at: Minutes) -> Numbers:
        return np.asarray(at // DAY % 7 if self.step == DAY else at // 60 % HOURS, np.intp)

    def deviates(self, series: Numbers, at: Minutes, residuals: Floats) -> Floats:
        """`residuals` in units of their usual standard deviation; NaN where too little is known."""
        known = self.held["known"][series, self._hour(at)]
        hour = self.held["hours"][series, self._hour(at)]
        usual = (known * hour + PRIOR_DAYS * self.held["all"][series]) / (known + PRIOR_DAYS)
        there = (self.held["seen"][series] >= LEAST_SEEN) & np.isfinite(residuals)
        return np.where(there, residuals / np.maximum(SIGMA * usual, _TINY), np.nan).clip(-_MOST, _MOST)

    def push(
        self, series: Numbers, at: Minutes, deviates: Floats, values: Floats, expected: Floats
    ) -> tuple[Floats, Floats]:
        """Add deviates; returns the sums in units of the standard deviation that they had if deviates were
        independent, and the mean deviates."""
        held = self.held
        added = np.where(np.isnan(deviates), 0.0, np.clip(deviates, -WINSOR, WINSOR))
        sums = held["sums"][series] * self.keep + added[:, None]
        held["squares"][series] = held["squares"][series] * self.keep**2 + 1
        held["weights"][series] = held["weights"][series] * self.keep + 1
        fresh = (np.sign(sums[:, 0]) != np.sign(held["sums"][series, 0])) | (held["run_count"][series] == 0)
        held["sums"][series] = sums
        expected = np.where(np.isnan(expected), 0.0, expected)
        for name, value in (("count", 1.0), ("actual", values), ("expected", expected)):
            held[f"run_{name}"][series] = np.where(fresh, 0.0, held[f"run_{name}"][series]) + value
        held["run_since"][series] = np.where(fresh, at, held["run_since"][series])
        figures = np.where(np.isnan(deviates)[:, None], np.nan, sums / np.sqrt(held["squares"][series]))
        return figures, sums / held["weights"][series]

    def run(self, series: Numbers) -> tuple[Floats, Floats]:
        """Since when the shortest sum has its sign; and the number of values since then, their sum, and that of what
        was expected."""
        held = self.held
        return held["run_since"][series], np.stack(
            [held[f"run_{name}"][series] for name in ("count", "actual", "expected")], axis=1
        )

    def forget(self, series: Numbers) -> None:
        """What has added up: it was told."""
        for name in ("sums", "squares", "weights", "run_count"):
            self.held[name][series] = 0.0

    def learn(self, series: Numbers, at: Minutes, residuals: Floats) -> None:
        """How far values are off usually."""
        there = np.isfinite(residuals)
        series, at, residuals = series[there], at[there], residuals[there]
        held, hour = self.held, self._hour(at)
        seen, known = held["seen"][series], held["known"][series, hour]
        old = held["all"][series]
        few = seen < LEAST_SEEN
        usual = np.where(known >= PRIOR_DAYS, held["hours"][series, hour], old)
        size = np.abs(residuals)
        size_all = np.where(few, size, np.minimum(size, OUTLIER * old + (old == 0) * size))
        size_hour = np.where(few, size, np.minimum(size, OUTLIER * usual + (usual == 0) * size))
        held["all"][series] = old + (size_all - old) / np.minimum(seen + 1, MEMORY)
        held["seen"][series] += 1
        day = min(1.0, self.step / 60)  # one value's part of an hour of day
        known = np.minimum(known + day, DAYS_KNOWN)
        held["hours"][series, hour] += (size_hour - held["hours"][series, hour]) * np.minimum(day / known, 1.0)
        held["known"][series, hour] = known

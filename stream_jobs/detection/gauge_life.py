"""From surprise to findings: when one opens, what it says while it stands, and when it is over.

One finding stands for a series at a time. It opens when a surprise is rarer than the budget allows, and is over after
CALM usual values that span half an hour: because the values came back, or because the prediction came to them.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.gauge_look import Look
from stream_jobs.detection.model import Closing, Finding, FindingKind, Severity

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
DAY: Final = 1440
FALSE_ALERTS: Final = 2.5
"""Per 1,000 series-days, where the past tells what may come."""
UNEASY: Final = 4.0
"""Nats from which on values belong to what is then found: about one look of 55."""
CALM: Final = 3
CALM_MINUTES: Final = 30
OPPOSITE: Final = 2.0
"""Bands on the other side of what is open that are news; so many times as much is as many times as surprising."""
LASTING: Final = 6
LASTING_MINUTES: Final = 120
"""What has lasted for so many values and minutes is a shift, and no spike or drop any more."""
LEARNED: Final = 24
"""Values of a finding that tell how far figures may go: it may come again. A level that stays would fill the tail, and
whoever has lived at it would be blind."""
ADOPTED_MINUTES: Final = 5040
ADOPTED: Final = 50
"""What has lasted for so many values and minutes (three and a half days) is learned from again: a spread that has grown
for good becomes usual as a level does."""
REMEMBERED: Final = 28
"""Days for which the level before one that was adopted is remembered: that it is back is no news."""
SETTLES: Final = 9
"""Days within which it is the usual one again."""
WARM_UP: Final = 50
"""Values before anything is said of a series."""
_GRAVE: Final[tuple[tuple[float, Severity], ...]] = ((9.0, "critical"), (5.0, "error"), (0.0, "warning"))
"""Nats beyond the threshold. A gauge knows no money: who tells people may weigh a finding by what depends on it."""


def threshold(step: int) -> float:
    """In nats: FALSE_ALERTS of the looks of 1,000 days are beyond it."""
    return float(np.log(1000 * DAY / step / FALSE_ALERTS))


class Lives:
    """Of all series what is unusual just now; arrays whose index is the series' number."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.threshold = threshold(step)
        self.held: dict[str, npt.NDArray[np.float64]] = {name: np.zeros(0) for name in _HELD}

    def grow(self, more: int) -> None:
        for name, old in self.held.items():
            self.held[name] = np.concatenate([old, np.zeros(more)])

    def take(self, look: Look) -> list[Finding]:
        """Returns the findings that were opened or closed, or became of another kind or severity."""
        held = self.held
        held["seen"][look.series] += 1
        busy = (look.surprise >= UNEASY) | (held["count"][look.series] > 0) | (look.slow >= self.threshold)
        if not busy.any():
            return []
        look = look.of(busy)
        series = look.series
        with np.errstate(invalid="ignore"):
            off = np.minimum(np.abs(look.values - look.expected), np.abs(look.means - look.expected))
            near = ~(off > np.where(held["open"][series] > 0, held["band"][series], look.band))
        uneasy = (look.surprise >= UNEASY) | (held["open"][series] > 0) & np.where(
            held["slow"][series] > 0, self._goes_on(look), ~near
        )
        turns = self._turns(look)
        bands = held["band"][series[turns]]
        turned = [self._turn(int(series[place]), int(look.at[place])) for place in np.flatnonzero(turns)]
        self._add(look, uneasy | turns)
        held["band"][series[turns]] = bands
        times = np.abs(look.means - look.expected)[turns] / np.maximum(OPPOSITE * bands, 1e-300)
        held["score"][series[turns]] = np.maximum(held["score"][series[turns]], self.threshold * np.minimum(times, 10))
        may_open = (held["open"][series] == 0) & (held["seen"][series] > WARM_UP) & np.isfinite(look.expected)
        opens = may_open & (look.surprise >= self.threshold) & ~self._returns(look) | turns
        slowly = may_open & (look.slow >= self.threshold) & ~opens & ~self._returns(look, slowly=True)
        before = {int(number): self._told(int(number)) for number in series[held["open"][series] > 0]}
        self._open(look, opens)
        self._open_slowly(look, slowly)
        changed = turned + [self.finding(int(number)) for number in series[opens | slowly]]
        changed += [self.finding(number) for number, told in before.items() if self._told(number) != told]
        over = (held["open"][series] > 0) & (held["calm"][series] >= CALM)
        over &= ~slowly & (look.at + self.step - held["calm_from"][series] >= CALM_MINUTES)
        for place in np.flatnonzero(over):
            changed.append(self._close(int(series[place]), float(look.expected[place])))
        held["open"][series[over]] = 0
        return changed

    def stands(self, series: Numbers, at: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Of which series a finding stands; and of which one that has not lasted yet, so that nothing is learned."""
        open_now = self.held["open"][series] > 0
        return open_now, open_now & ~self._has_lasted(series, at)

    def opened_slowly(self, series: Numbers, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Of which series a window has told something just now."""
        held = self.held
        now = held["detected"][series] == at + self.step
        return np.asarray((held["open"][series] > 0) & (held["slow"][series] > 0) & now)

    def may_learn(self, series: Numbers, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Of which series the figures tell how far they go: not of a finding that goes on, until it has lasted."""
        held = self.held
        few = held["count"][series] <= LEARNED
        return np.asarray((held["open"][series] == 0) | few | self._has_lasted(series, at))

    def _has_lasted(self, series: Numbers, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Of which series what stands is learned from again."""
        held = self.held
        return np.asarray((at - held["start"][series] >= ADOPTED_MINUTES) & (held["count"][series] >= ADOPTED))

    def _add(self, look: Look, uneasy: npt.NDArray[np.bool_]) -> None:
        """Sum up the stretch that may be, or is, a finding; calm values wait until it goes on."""
        held, series = self.held, look.series
        idle = (held["open"][series] == 0) & ~uneasy
        begins = (held["count"][series] == 0) & uneasy
        held["start"][series[begins]] = look.at[begins]
        held["before"][series[begins]] = look.expected[begins]
        calms = ~uneasy & (held["calm"][series] == 0)
        held["calm_from"][series[calms]] = look.at[calms]
        held["calm"][series] = np.where(uneasy, 0, held["calm"][series] + 1)
        back = self._is_back(look)
        held["back_from"][series] = np.where(back, held["back_from"][series], look.at + self.step)
        values = np.ones(len(series)), look.values, np.nan_to_num(look.expected)
        for name, value in zip(_SUMMED, values, strict=True):
            pending = held[f"calm_{name}"][series] + value
            added = np.where(uneasy, pending, 0.0)
            held[name][series] += added
            held[f"back_{name}"][series] = np.where(back, held[f"back_{name}"][series] + added, 0.0)
            held[f"calm_{name}"][series] = np.where(uneasy, 0.0, pending)
            for sums in (name, f"back_{name}", f"calm_{name}"):
                held[sums][series[idle]] = 0.0
        told = np.maximum(look.surprise, np.where(held["open"][series] * held["slow"][series] > 0, look.slow, 0.0))
        rises = uneasy & (told > held["score"][series])
        held["score"][series] = np.where(idle, 0.0, np.where(rises, told, held["score"][series]))
        lasted = look.at - held["start"][series] >= ADOPTED_MINUTES
        follows = (held["open"][series] == 0) | lasted
        held["band"][series[follows]] = np.nan_to_num(look.band[follows])
        held["until"][series] = look.at + self.step

    def _is_back(self, look: Look) -> npt.NDArray[np.bool_]:
        """Which values are nearer to what was expected than to what the finding was before they came back."""
        series = look.series
        count, actual, expected = (self.held[name][series] - self.held[f"back_{name}"][series] for name in _SUMMED)
        off = (actual - expected) / np.maximum(count, 1.0)
        with np.errstate(invalid="ignore"):
            return np.asarray((look.values - look.expected) * np.sign(off) < np.abs(off) / 2)

    def _open(self, look: Look, opens: npt.NDArray[np.bool_]) -> None:
        held, series = self.held, look.series[opens]
        held["down"][series] = look.values[opens] < look.expected[opens]
        held["open"][series] = 1.0
        held["slow"][series] = 0.0
        held["detected"][series] = look.at[opens] + self.step

    def _open_slowly(self, look: Look, opens: npt.NDArray[np.bool_]) -> None:
        """A window has added up what no value told: it began when the shortest window came to its side."""
        held, look = self.held, look.of(opens)
        series = look.series
        held["open"][series] = held["slow"][series] = 1.0
        held["detected"][series] = look.at + self.step
        held["until"][series] = look.at + self.step
        held["span"][series] = np.maximum(look.span - 1, 0)
        mark = look.drifts[np.arange(len(series)), look.span]
        held["mark"][series], held["down"][series] = np.abs(mark), mark < 0
        for name in _SUMS:
            held[name][series] = 0.0
        for column, name in enumerate(_SUMMED):
            held[name][series] = look.run[:, column]
        held["start"][series], held["back_from"][series] = look.began, look.at + self.step
        held["before"][series] = look.run[:, 2] / look.run[:, 0]
        held["calm"][series], held["score"][series] = 0.0, look.slow
        held["band"][series] = np.nan_to_num(look.band)

    def _goes_on(self, look: Look) -> npt.NDArray[np.bool_]:
        """Of what a window has told: whether a shorter one is nearer to its level than to the usual one."""
        held, series = self.held, look.series
        drift = look.drifts[np.arange(len(series)), held["span"][series].astype(np.intp)]
        return np.asarray(np.where(held["down"][series] > 0, -drift, drift) > held["mark"][series] / 2)

    def _returns(self, look: Look, slowly: bool = False) -> npt.NDArray[np.bool_]:
        """Which are where they were before a level that was adopted lately: nearer to that than to the new one."""
        held, series = self.held, look.series
        off = look.means - look.expected
        if slowly:
            off = (look.run[:, 1] - look.run[:, 2]) / np.maximum(look.run[:, 0], 1.0)
        was = held["was"][series]
        with np.errstate(invalid="ignore"):
            back = (look.at < held["was_until"][series]) & (np.abs(off - was) < np.abs(was) / 2)
        held["was_until"][series] = np.where(
            back, np.minimum(held["was_until"][series], look.at + SETTLES * DAY), held["was_until"][series]
        )
        return np.asarray(back)

    def _turns(self, look: Look) -> npt.NDArray[np.bool_]:
        """Of which what is open is over because values and means are far off on the other side, by the band of before:
        the one that is looked at has learned how far the finding goes."""
        held, series = self.held, look.series
        side, band = np.where(held["down"][series] > 0, -1.0, 1.0), held["band"][series]
        with np.errstate(invalid="ignore"):
            far = side * (look.means - look.expected) < -OPPOSITE * band
            return np.asarray((held["open"][series] > 0) & far & (side * (look.values - look.expected) < -band))

    def _turn(self, number: int, at: int) -> Finding:
        """The opposite of what is open is news: that is over, where the other began or where it was calm before."""
        held = self.held
        if not held["calm"][number]:
            held["calm_from"][number] = at
        since = {name: float(held[f"back_{name}"][number]) for name in _SUMMED}
        over = self._close(number, float(held["before"][number]))
        held["open"][number] = held["calm"][number] = 0.0
        if since["count"] and over.end is not None and over.end < at:
            held["start"][number], held["before"][number] = over.end, since["expected"] / since["count"]
            for name, value in since.items():
                held[name][number] = value
        return over

    def _close(self, number: int, expected: float) -> Finding:
        """It ended where the calm began, or where the values came back whose means were far off for some more."""
        held = self.held
        end = held["calm_from"][number]
        if held["detected"][number] <= held["back_from"][number] < end:
            end = held["back_from"][number]
            for name in _SUMMED:
                held[name][number] -= held[f"back_{name}"][number]
        count = held["count"][number]
        actual, before = held["actual"][number] / count, held["before"][number]
        lasted = end - held["start"][number] >= ADOPTED_MINUTES
        came = lasted or abs(expected - before) > abs(actual - before) / 2
        if came:
            held["was"][number], held["was_until"][number] = before - actual, end + REMEMBERED * DAY
        found = self.finding(number, end=int(end), closing="new_normal" if came else "over")
        for name in (*_SUMS, "score"):
            held[name][number] = 0.0
        return found

    def open(self) -> list[Finding]:
        return [self.finding(int(number)) for number in np.flatnonzero(self.held["open"])]

    def finding(self, number: int, end: int | None = None, closing: Closing | None = None) -> Finding:
        """As it is now. What it expected and had are means per value over its stretch, and so is its band."""
        held = {name: float(values[number]) for name, values in self.held.items()}
        actual, expected = held["actual"] / held["count"], held["expected"] / held["count"]
        kind, severity = self._told(number)
        return Finding(
            number=number,
            start=int(held["start"]),
            detected_at=int(held["detected"]),
            end=end,
            direction="down" if held["down"] else "up",
            kind=kind,
            scale=f"{self.step}m",
            expected=expected,
            actual=actual,
            low=expected - held["band"],
            high=expected + held["band"],
            score=held["score"],
            severity=severity,
            per_day=0.0,
            closing=closing,
        )

    def _told(self, number: int) -> tuple[FindingKind, Severity]:
        """What a change of makes it worth to be told again."""
        held = self.held
        minutes = held["until"][number] - held["calm_count"][number] * self.step - held["start"][number]
        lasting = held["count"][number] >= LASTING and minutes >= LASTING_MINUTES
        kind: FindingKind = "shift" if lasting else "drop" if held["down"][number] else "spike"
        beyond = held["score"][number] - self.threshold
        return kind, next((name for nats, name in _GRAVE if beyond >= nats), "warning")


_SUMMED: Final = ("count", "actual", "expected")
_SUMS: Final = tuple(f"{of}{name}" for of in ("", "calm_", "back_") for name in _SUMMED)
_HELD: Final = (
    "seen", "open", "down", "start", "detected", "until", "score", "before", "band", "calm", "calm_from", "back_from",
    "slow", "span", "mark", "was", "was_until",
    *_SUMS,
)  # fmt: skip

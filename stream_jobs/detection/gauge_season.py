"""What a value at this time of the day, or of the week, was before: by the last two weeks' days, or the last six weeks.

Kept are the means of up to BINS stretches of each of the last DAYS days. Each predicts the same time of a later day,
moved by as much as the level of a fortnight has changed in between: growth is usual, and a level that stays is the
usual one after a week or so. The median of what they predict is taken, so that one odd day moves nothing; what was
told as a finding counts only where more than half of them were.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]
Minutes = npt.NDArray[np.int64]
DAY: Final = 1440
DAYS: Final = 43
"""Six weeks and today."""
BINS: Final = 96
WEEK: Final = 7
PREDICTIONS: Final = 3
_BEFORE: Final = np.concatenate([np.arange(1, 2 * WEEK), np.arange(2 * WEEK, DAYS, WEEK)])
"""Days before the present one that are asked."""
_DAILY: Final = np.flatnonzero(_BEFORE < 2 * WEEK)
_WEEKLY: Final = np.flatnonzero(_BEFORE % WEEK == 0)
_LEVELS: Final = DAYS + 3
_NEVER: Final = -(10**9)


class Season:
    """Means of [series, day, bin]; NaN where there was no value."""

    def __init__(self, step: int) -> None:
        self.bins = max(1, min(BINS, DAY // step))
        self.step = step
        self.span = 2 * WEEK if step >= DAY // 2 else WEEK  # days that a level is that of
        self.means = np.full((0, DAYS, self.bins), np.nan)
        self.odd = np.zeros((0, DAYS, self.bins), np.bool_)  # where a finding stood
        self.levels = np.full((0, _LEVELS), np.nan)  # of the fortnight (or week) that ends with a day
        self.sums = np.zeros(0)
        self.counts = np.zeros(0)
        self.odds = np.zeros(0)  # of the running bin, how many values were of a finding
        self.bin_of = np.full(0, _NEVER, np.int64)  # the running bin, counted since 1970

    def grow(self, more: int) -> None:
        self.means = np.concatenate([self.means, np.full((more, DAYS, self.bins), np.nan)])
        self.odd = np.concatenate([self.odd, np.zeros((more, DAYS, self.bins), np.bool_)])
        self.levels = np.concatenate([self.levels, np.full((more, _LEVELS), np.nan)])
        for name in ("sums", "counts", "odds"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more)]))
        self.bin_of = np.concatenate([self.bin_of, np.full(more, _NEVER, np.int64)])

    def expected(self, series: Numbers, at: Minutes) -> Floats:
        """[series, PREDICTIONS] of values whose step begins at these minutes since 1970: by the time of day, by that
        of the week with the level's change added, and by it with the level's change as a factor. NaN where too little
        is known."""
        position = (at + self.step / 2) * self.bins / DAY - 0.5
        place = np.floor(position + 0.5).astype(np.int64)
        away = position - place
        if not away.any():
            return self._at(series, place)
        around = self._at(np.tile(series, 3), np.concatenate([place, place - 1, place + 1]))
        middle, before, after = around.reshape(3, len(series), PREDICTIONS)
        below, above = middle - before, after - middle
        # within a bin along the flatter of the two slopes, if they agree: a step stays one (van Leer's minmod)
        flatter = np.where(np.abs(below) < np.abs(above), below, above)
        slope = np.where(below * above > 0, flatter, 0.0)
        return np.asarray(middle + slope * away[:, None])

    def _at(self, series: Numbers, bins: Minutes) -> Floats:
        """Predictions for bins counted since 1970."""
        days, within = bins[:, None] // self.bins - _BEFORE, bins[:, None] % self.bins
        newest = self.bin_of[series][:, None] // self.bins
        held = (days > newest - DAYS) & (days * self.bins + within <= self.bin_of[series][:, None])
        rows = series[:, None]
        values = np.where(held, self.means[rows, days % DAYS, within], np.nan)
        odd = self.odd[rows, days % DAYS, within] & held
        # a day's level is known when the next one is over, also to those with one value a day
        then = np.where(held, self.levels[rows, (days - 2) % _LEVELS], np.nan)
        known = np.minimum(bins[:, None] // self.bins - 2, newest - 1)
        now = self.levels[rows, known % _LEVELS]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            moved = now - then
            moved = np.where(np.isnan(moved), 0.0, moved)
            factor = now / then
            factor = np.where((factor > 0) & (factor < np.inf), factor, 1.0)
        weekly, odd_weeks = values[:, _WEEKLY], odd[:, _WEEKLY]
        found = (
            _median(values[:, _DAILY] + moved[:, _DAILY], odd[:, _DAILY], least=2),
            _median(weekly + moved[:, _WEEKLY], odd_weeks, least=1),
            _median(weekly * factor[:, _WEEKLY], odd_weeks, least=1),
        )
        return np.stack(found, axis=1)

    def learn(self, series: Numbers, at: Minutes, values: Floats, odd: npt.NDArray[np.bool_]) -> None:
        """`odd`: of which a finding stands."""
        now = at * self.bins // DAY
        before = self.bin_of[series]
        moved = now != before
        if moved.any():
            self._turn(series[moved], before[moved], now[moved])
        self.bin_of[series] = now
        self.sums[series] += values
        self.counts[series] += 1
        self.odds[series] += odd

    def _turn(self, series: Numbers, before: Minutes, now: Minutes) -> None:
        """The running bin is done: keep its mean, and forget the days that passed."""
        done = self.counts[series] > 0
        finished, bins = series[done], before[done]
        place = (finished, bins // self.bins % DAYS, bins % self.bins)
        self.means[place] = self.sums[finished] / self.counts[finished]
        self.odd[place] = 2 * self.odds[finished] > self.counts[finished]
        for sums in (self.sums, self.counts, self.odds):
            sums[series] = 0
        days = before // self.bins, now // self.bins
        for number, first, last in zip(series.tolist(), days[0].tolist(), days[1].tolist(), strict=True):
            level = self._fortnight(number, first) if 0 <= first < last else np.nan
            for day in range(max(first + 1, last - DAYS + 1), last + 1):
                self.means[number, day % DAYS], self.odd[number, day % DAYS] = np.nan, False
            if first < last:
                passed = np.arange(max(first, last - _LEVELS + 1), last + 1)
                self.levels[number, passed % _LEVELS] = level

    def _fortnight(self, number: int, day: int) -> float:
        """The median of the means of the days that end with this one, a whole number of weeks; NaN of fewer. A day of
        which a part was told is replaced by that of a week or two before: so many weekends are as many as ever. Not
        where more than half of the days were: that is the level now."""
        days = np.arange(day, day - self.span - 2 * WEEK, -1) % DAYS
        rows = self.means[number, days]
        there = np.isfinite(rows)
        counts = there.sum(axis=1)
        means = np.where(there, rows, 0.0).sum(axis=1) / np.where(counts, counts, np.nan)
        odd = 4 * (self.odd[number, days] & there).sum(axis=1) > counts
        if 2 * odd[: self.span].sum() <= self.span:
            for _ in range(2):  # that of a week before may itself have to be replaced
                back = means[WEEK:].copy()
                means[:-WEEK] = np.where(odd[:-WEEK] & np.isfinite(back), back, means[:-WEEK])
        means = means[: self.span]
        means = means[np.isfinite(means)]
        whole = len(means) // WEEK * WEEK
        return float(np.median(means[:whole])) if whole else float("nan")


def _median(rows: Floats, odd: npt.NDArray[np.bool_], least: int) -> Floats:
    """Along the last axis, without what is NaN, and without what is odd unless more than half is; NaN where fewer than
    `least` are left."""
    there = np.isfinite(rows)
    sound = there & ~odd
    used = np.where((2 * sound.sum(axis=1) >= there.sum(axis=1))[:, None], sound, there)
    ordered = np.sort(np.where(used, rows, np.nan), axis=1)  # NaN last
    count = used.sum(axis=1)
    at = np.arange(len(rows))
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, rows.shape[1] - 1)
    return np.where(count >= least, (ordered[at, low] + ordered[at, high]) / 2, np.nan)

"""Days off that nobody declared: a tenant's series rest together on a working day, as they do on Sundays.

What rests on one day alone is noise; that all do is a holiday, whose low amounts say nothing of what comes after it. It
is told by nothing that lies behind the day, and no day to come is one.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import median
from stream_jobs.forecasting.weekly import DAYS as WEEK
from stream_jobs.forecasting.weekly import LEAST_KNOWN, WEEKS, weekday_of

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LEAST_SERIES: Final = 5  # that rest on Sundays: of fewer nobody knows whether they rest together
LEAST_WEEKS: Final = 4  # that must be known before a day
NOISE_DAYS: Final = 28  # before a day, that say what noise is
LEAST_REST: Final = 0.15  # logarithm: what rests on Sundays lies so far below on them, and so many noises
NOISES: Final = 2.0
DOWN: Final = 0.5  # of the way down to a Sunday, in the middle of the series
NOISES_TOGETHER: Final = 4.0  # of that middle from day to day: series that overlap are noisy together
SOME_WAY: Final = 0.25  # that each goes at least
NEARLY_ALL: Final = 0.8  # of the series
LONGEST: Final = 3  # working days in a row: what stays low longer is the new level


class Run(NamedTuple):
    """Working days in a row that looked like days off when they were over."""

    days: tuple[int, ...]  # ordinals, rising
    stayed: int | None  # the working day behind them, when it was no less low: so they were the first of another level


class DaysOff(NamedTuple):
    """Of a panel."""

    runs: tuple[Run, ...]

    def before(self, origin: int) -> frozenset[int]:
        """Those that are known to be some on a day: ordinals."""
        found: set[int] = set()
        for days, stayed in self.runs:
            over = [day for day in days if day < origin]
            if len(over) <= LONGEST and (stayed is None or stayed >= origin):
                found.update(over)
        return frozenset(found)


NONE: Final = DaysOff(())


def find(logs: Floats, first: int) -> DaysOff:
    """`logs`: (series, days) on the logarithm, from the date's ordinal `first` on; NaN where not known."""
    series, days = logs.shape
    if series < LEAST_SERIES or days <= LEAST_WEEKS * WEEK:
        return NONE
    usual = _of_weekdays(logs)  # of the last weeks, the day's own among them
    same = _behind(usual, WEEK)
    places = np.arange(days)
    sunday = places - 1 - weekday_of(first + places)
    sundays = np.where(sunday >= 0, usual[:, np.maximum(sunday, 0)], np.nan)
    above = logs - same
    lately = median(_windows(above, WEEK, LEAST_KNOWN), axis=2)
    away = above - lately
    noise = 1.48 * median(np.abs(_windows(away, NOISE_DAYS, WEEK)), axis=2)
    rest = same - sundays
    tells = np.isfinite(away) & (rest > np.maximum(LEAST_REST, NOISES * noise))
    rest = np.where(tells, rest, np.nan)
    way = -away / rest
    known = tells.sum(axis=0)
    working = known >= LEAST_SERIES
    together = np.where(working, median(way, axis=0), np.nan)
    noise_together = 1.48 * median(np.abs(_windows(together[None], NOISE_DAYS, WEEK)), axis=2)[0]
    with np.errstate(invalid="ignore"):
        down = together >= np.fmax(DOWN, NOISES_TOGETHER * np.where(np.isnan(noise_together), np.inf, noise_together))
    all_rest = (np.nan_to_num(way) > SOME_WAY).sum(axis=0) >= NEARLY_ALL * known
    runs = []
    for run, behind in _runs(down & all_rest, working):
        stays = behind is not None and _is_low(above[:, behind] - lately[:, run[0]], rest[:, behind])
        runs.append(
            Run(tuple(first + place for place in run), first + behind if stays and behind is not None else None)
        )
    return DaysOff(tuple(runs))


def _is_low(away: Floats, rest: Floats) -> bool:
    return bool(median(-away / rest) >= DOWN)


def _of_weekdays(logs: Floats) -> Floats:
    """(series, days): the median of a day and of the same weekday of the weeks before it."""
    weeks = [logs, *(_behind(logs, WEEK * week) for week in range(1, WEEKS))]
    found = np.stack(weeks, axis=2)
    enough = np.isfinite(found).sum(axis=2) >= LEAST_WEEKS
    return np.asarray(np.where(enough, median(found, axis=2), np.nan))


def _behind(values: Floats, days: int) -> Floats:
    """What was so many days before."""
    moved = np.full_like(values, np.nan)
    moved[:, days:] = values[:, : max(values.shape[1] - days, 0)]
    return moved


def _windows(values: Floats, days: int, least: int) -> Floats:
    """(series, days, so many): the days before each; not known where fewer than `least` are."""
    padded = np.concatenate([np.full((len(values), days), np.nan), values[:, :-1]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, days, axis=1)
    enough = np.isfinite(windows).sum(axis=2, keepdims=True) >= least
    return np.asarray(np.where(enough, windows, np.nan))


def _runs(off: Flags, working: Flags) -> list[tuple[list[int], int | None]]:
    """Places in a row, and that of the working day behind them. Days on which everybody rests anyway are no working
    days."""
    found: list[tuple[list[int], int | None]] = []
    run: list[int] = []
    for place in np.flatnonzero(working).tolist():
        if off[place]:
            run.append(place)
        elif run:
            found.append((run, place))
            run = []
    return [*found, (run, None)] if run else found

"""How far off forecasts of days and of their sums are: the errors of the past, pooled over the series of a tenant.

An error is the logarithm of what came over what was expected. It is divided by what is usual at its distance and by how
much its series usually errs, both as they were known when the forecast was made, so the pool holds errors as they will
be met. Stated errors stand in as long as few are known: they count for some, never for nothing.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.day_history import Stored
from stream_jobs.forecasting.lumps import day_of_month

Floats = npt.NDArray[np.float64]
STATED_DAY: Final = 0.4  # the mean absolute error of a day, before any is known
STATED_WALK: Final = 0.06  # how far the level moves in a day
STATED_FOR: Final = 8.0  # independent errors that what is stated counts for
PEERS_FOR: Final = 8.0  # independent errors that peers' usual size counts for in a series' own
YOUNG_DAYS: Final = 7.0
HALF_LIFE: Final = 120.0  # days, of a series' own size
MOST: Final = 4.0  # times the usual: what an error counts for at most in a size
POOL_DAYS: Final = 400  # that errors are pooled over
POOLED: Final = 2000  # errors at most that are sorted
SAME_DATE: Final = 5  # days of the month that an origin may be away
UNLIKE: Final = 0.05  # what an error counts for from other dates, or of a series that was younger
GROWN_DAYS: Final = 70  # after which a series is no longer young: two months have told what comes monthly
MONTH: Final = 30
POINTS: Final = 95
"""Of a shape: its quantiles from 0.5 % to 99.5 %."""


class Sizes(NamedTuple):
    """As known at each origin. The mean absolute error is `usual` times `own`."""

    usual: Floats  # (origins, knots)
    own: Floats  # (origins, series)
    standard: Floats  # (origins, series, knots): errors over their sizes; NaN where not known


def stated(knots: npt.NDArray[np.int64], *, sums: bool) -> Floats:
    """(knots) mean absolute errors before any is known: of noise that days share, and of a level that walks."""
    days = knots.astype(float)
    if sums:
        return np.asarray(np.sqrt(STATED_DAY**2 / days + STATED_WALK**2 * days / 3))
    return np.asarray(np.sqrt(STATED_DAY**2 + STATED_WALK**2 * days))


def sizes(stored: Stored, errors: Floats, *, sums: bool) -> Sizes:
    """Of `stored.sum_errors` or `stored.step_errors`."""
    origins, series, knots = errors.shape
    prior = stated(stored.knots, sums=sums)
    apart = np.minimum(1.0, stored.stride / stored.knots) if sums else np.ones(knots)
    fades = 0.5 ** (stored.stride / HALF_LIFE)
    lags = -(-stored.knots // stored.stride)  # origins until an error is known
    total, weight = STATED_FOR * prior, np.full(knots, STATED_FOR)
    own_total, own_weight = np.zeros(series), np.zeros(series)
    usual, own = np.empty((origins, knots)), np.empty((origins, series))
    for now in range(origins):
        own_total, own_weight = own_total * fades, own_weight * fades
        for knot in np.nonzero(lags <= now)[0]:
            then = now - lags[knot]
            widening = wider(stored.known[then], stored.held[then], usual[then, knot])
            error = np.abs(errors[then, :, knot]) / widening
            known = np.isfinite(error)
            if known.any():
                limit = MOST * usual[then, knot]
                worth = apart[knot] * np.sqrt(known.sum())  # series of one tenant have half of their days in common
                total[knot] += worth * np.minimum(error[known], limit).mean()
                weight[knot] += worth
                relative = np.minimum(error / usual[then, knot], MOST)
                own_total += np.where(known, apart[knot] * np.nan_to_num(relative), 0.0)
                own_weight += known * apart[knot]
        usual[now] = total / weight
        # errors at several distances from one origin are nearly one error
        share = own_weight / np.maximum(apart.sum(), 1.0)
        mean = own_total / np.maximum(own_weight, 1e-12)
        own[now] = (PEERS_FOR + share * mean) / (PEERS_FOR + share)
    widening = wider(stored.known[:, :, None], stored.held[:, :, None], usual[:, None, :])
    return Sizes(usual, own, errors / (usual[:, None, :] * own[:, :, None] * widening))


def wider(known: npt.ArrayLike, held: npt.ArrayLike, usual: npt.ArrayLike) -> Floats:
    """How many times wider errors are of a series of which so few days are known (of a mean of them, over a week's
    days); and of one whose last days lie so far off that nobody knows whether they stay."""
    off = np.asarray(held) / np.asarray(usual)
    return np.asarray(np.sqrt(1 + YOUNG_DAYS / np.maximum(known, 1) + off**2))


class Bands:
    """Of sums, or of single days, from one origin on."""

    def __init__(self, stored: Stored, found: Sizes, origin: int, known: Floats, held: Floats, *, sums: bool) -> None:
        """`known` and `held` of each series as of the origin."""
        now = int(np.searchsorted(stored.origins, origin, side="right")) - 1
        self._stored, self._found, self._origin, self._sums = stored, found, origin, sums
        self._usual, self._own, self._known, self._held = found.usual[now], found.own[now], known, held
        self._shapes: dict[int, Floats] = {}

    def spread(self, series: int, days: int) -> float:
        """What one unit of `shape` is on the logarithm, so many days ahead."""
        usual = float(np.interp(np.log(days), np.log(self._stored.knots), self._usual))
        return float(usual * self._own[series] * wider(self._known[series], self._held[series], usual))

    def shape(self, days: int) -> Floats:
        """(POINTS) rising standardised errors, so many days ahead: of the nearest knot."""
        knot = int(np.argmin(np.abs(np.log(self._stored.knots / days))))
        if knot not in self._shapes:
            self._shapes[knot] = self._pooled(knot)
        return self._shapes[knot]

    def _pooled(self, knot: int) -> Floats:
        """Of forecasts whose days are over before the origin; stated ones count beside them."""
        stored, ahead = self._stored, int(self._stored.knots[knot])
        last = int(np.searchsorted(stored.origins, self._origin - ahead, side="right"))
        first = int(np.searchsorted(stored.origins, self._origin - ahead - POOL_DAYS))
        pool = self._found.standard[first:last, :, knot]
        young = stored.known[first:last] < min(GROWN_DAYS, float(np.median(self._known)))
        worth = self._worth(stored.origins[first:last])[:, None] * np.where(young, UNLIKE, 1.0)
        worth = worth[np.isfinite(pool)]
        pool = pool[np.isfinite(pool)]
        every_so_many = max(1, -(-len(pool) // POOLED))
        apart = min(1.0, stored.stride / ahead) if self._sums else 1.0
        every = np.concatenate([pool[::every_so_many], _STATED])
        weights = np.concatenate([worth[::every_so_many] * every_so_many * apart, _STATED_WEIGHTS])
        order = np.argsort(every)
        every, weights = every[order], weights[order]
        reached = (np.cumsum(weights) - weights / 2) / weights.sum()
        return np.asarray(np.interp((np.arange(POINTS) + 0.5) / POINTS, reached, every))

    def _worth(self, origins: npt.NDArray[np.int64]) -> Floats:
        """Of errors from other origins: what months have at their ends lies as far off from days of the same date."""
        if not self._sums:
            return np.ones(len(origins))
        dates = np.fromiter(map(day_of_month, origins.tolist()), np.int64, len(origins))
        away = np.abs(dates - day_of_month(self._origin))
        return np.where(np.minimum(away, MONTH - away) <= SAME_DATE, 1.0, UNLIKE)


def student(points: int) -> Floats:
    """Quantiles of Student's t with four degrees of freedom (Shaw), scaled to a mean absolute value of 1."""
    probability = (np.arange(points) + 0.5) / points
    alpha = 4 * probability * (1 - probability)
    q = np.cos(np.arccos(np.sqrt(alpha)) / 3) / np.sqrt(alpha)
    found = np.sign(probability - 0.5) * 2 * np.sqrt(np.maximum(q - 1, 0.0))
    return np.asarray(found / np.abs(found).mean())


_STATED: Final = student(41)
_STATED_WEIGHTS: Final = np.full(len(_STATED), STATED_FOR / len(_STATED))

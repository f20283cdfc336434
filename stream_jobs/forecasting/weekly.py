"""What a day of the week usually lies above or below its week, on a scale on which noise is alike."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import mean, median

Floats = npt.NDArray[np.float64]
DAYS: Final = 7
WEEKS: Final = 8  # that are looked at
LEAST_WEEKS: Final = 2  # that tell what noise is, all weekdays together
LEAST_KNOWN: Final = 5  # days of a week that say where it lies
MEDIAN_VARIANCE: Final = 1.57
"""Of a median, in variances of a mean: pi / 2, for normal noise."""


def weekday_of(ordinals: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """0 is Monday."""
    return (ordinals - 1) % DAYS


def profile(values: Floats, origin: int) -> Floats:
    """(series, 7) from Monday on, of (series, days) that end before the origin; 0 where nothing is known.

    The medians of the last weeks' deviations from their means. A series' own is shrunk towards that of all series by
    its noise (James and Stein), and that towards none: so a single week says something where peers agree, and nothing
    where they do not.
    """
    days = min(values.shape[1], WEEKS * DAYS)
    weeks = -(-days // DAYS)
    window = np.full((len(values), weeks * DAYS), np.nan)
    window[:, weeks * DAYS - days :] = values[:, values.shape[1] - days :]
    window = window.reshape(len(values), weeks, DAYS)
    known = np.isfinite(window).sum(axis=2, keepdims=True) >= LEAST_KNOWN
    away = np.where(known, window - mean(window, axis=2)[..., None], np.nan)
    own = median(away, axis=1)
    count = np.isfinite(away).sum(axis=1)
    spread = 1.48 * median(np.abs(away - own[:, None, :]), axis=1)
    told = np.isfinite(own)
    own, several = np.where(told, own, 0.0), count >= LEAST_WEEKS
    noise = _noise(spread, count)
    peers = _of_peers(own, np.asarray(told.all(axis=1)))
    apart = np.where(several, own - peers, 0.0)  # of a single week nobody knows what is noise
    keep = _kept((apart**2).sum(axis=1), noise)
    found = np.where(told, peers + keep[:, None] * apart, peers)
    return np.asarray(np.roll(found, (origin - 1) % DAYS, axis=1))


def _noise(spread: Floats, count: npt.NDArray[np.int64]) -> Floats:
    """The variance of a series' seven medians together."""
    own = np.nan_to_num(mean(np.where(count >= LEAST_WEEKS, spread, np.nan) ** 2, axis=1))
    mean_count = np.maximum(count.mean(axis=1), 1)
    return np.asarray(DAYS * MEDIAN_VARIANCE * np.maximum(own, 1e-4) / mean_count)


def _of_peers(own: Floats, told: npt.NDArray[np.bool_]) -> Floats:
    """(7) where all series' profiles lie, shrunk by how far they lie apart; none of fewer than three."""
    if told.sum() < 3:
        return np.zeros(DAYS)
    middle = np.median(own[told], axis=0)
    apart = (1.48 * np.median(np.abs(own[told] - middle), axis=0)) ** 2
    noise = MEDIAN_VARIANCE * apart.sum() / told.sum()
    return np.asarray(middle * _kept((middle**2).sum(), noise))


def _kept(power: npt.ArrayLike, noise: npt.ArrayLike) -> Floats:
    return np.asarray(np.maximum(0.0, 1 - np.asarray(noise) / np.maximum(power, 1e-12)))

"""The usual course of a day and of a week, as deviations from the level; hours count back from the origin."""

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import decayed, mean, median, weighted_mean

Floats = npt.NDArray[np.float64]
DAY = 24
WEEK = 168
LEAST_WEEKS = 2
"""So many weeks tell days of the week apart."""
WEEK_HALF_LIFE = 4.0  # weeks
DAY_HALF_LIFE = 8.0  # days


def days_of(window: Floats) -> Floats:
    """(n, hours) -> (n, days, 24), the last day ending at the origin; the first hours that are no whole day are left
    out."""
    return _stretches(window, DAY)


def levels_of(stretches: Floats) -> Floats:
    """The mean of each day, or week, of which half of the hours are known: (n, days)."""
    known = np.isfinite(stretches).sum(axis=2)
    return np.where(known * 2 >= stretches.shape[2], mean(stretches), np.nan)


def decayed_profile(window: Floats, half_life: float) -> Floats:
    """Of a day: (n, 24). Decayed means (half-life in days) of days less their levels, shrunk to flat by how far they
    can be told from noise."""
    return _shrunk(*_deviations(window, DAY, half_life))


def week_of(window: Floats) -> Floats:
    """What the day of the week adds to a usual day: (n, 168), from the origin on. First to the level of each day, then
    to each hour, each shrunk to nothing by how far it can be told from noise; 0 before the second week is over."""
    weeks = np.isfinite(levels_of(_stretches(window, WEEK))).sum(axis=1)
    if not (weeks >= LEAST_WEEKS).any():
        return np.zeros((len(window), WEEK))
    by_day = np.repeat(_shrunk(*_deviations(levels_of(days_of(window)), WEEK // DAY, WEEK_HALF_LIFE)), DAY, axis=1)
    left = window - behind(by_day, window.shape[1])
    left -= behind(_shrunk(*_deviations(left, DAY, DAY_HALF_LIFE)), window.shape[1])
    by_hour = _shrunk(*_deviations(left, WEEK, WEEK_HALF_LIFE))
    return np.where(weeks[:, None] >= LEAST_WEEKS, by_day + by_hour, 0.0)


def behind(profile: Floats, length: int) -> Floats:
    """A profile over what lies before the origin: (n, length)."""
    return np.tile(profile, -(-length // profile.shape[1]))[:, -length:]


def median_profile(window: Floats, most: int = 7) -> Floats:
    """The median of the last days' deviations: (n, 24), flat where nothing is known."""
    days = days_of(window)[:, -most:]
    found = median((days - levels_of(days)[:, :, None]).transpose(0, 2, 1))
    return np.where(np.isfinite(found), found, 0.0)


def _stretches(window: Floats, length: int) -> Floats:
    count = window.shape[1] // length
    return window[:, window.shape[1] - count * length :].reshape(len(window), count, length)


def _deviations(values: Floats, length: int, half_life: float) -> tuple[Floats, Floats]:
    """From each stretch's level, by the place within it, (n, length, stretches), and weights of the stretches, which
    halve every `half_life` of them."""
    stretches = _stretches(values, length)
    deviations = stretches - levels_of(stretches)[:, :, None]
    return deviations.transpose(0, 2, 1), decayed(stretches.shape[1], half_life)


def _shrunk(by_hour: Floats, weights: Floats) -> Floats:
    """The weighted mean, towards flat by the share of its variance that is its own error: (n, length)."""
    means = weighted_mean(by_hour, weights)
    spread = weighted_mean((by_hour - means[:, :, None]) ** 2, weights)
    known = np.isfinite(by_hour) * weights
    effective = known.sum(axis=2) ** 2 / np.maximum((known**2).sum(axis=2), 1e-300)
    error = mean(np.where(effective > 1, spread / np.maximum(effective - 1, 0.5), np.nan))
    signal = np.nan_to_num(mean(means**2))
    share = np.nan_to_num(error) / np.maximum(signal, 1e-300)
    return np.nan_to_num(means) * np.clip(1 - share, 0, 1)[:, None]

"""How far a daily maximum goes that comes once in so many days: from the days so far, with an exponential tail.

Two looks at the past. All days: the mean of the daily maxima and how far they lie apart, as of Gumbel's distribution
(its width is about the mean absolute deviation), which a week of days tells already. And the greatest few of weeks:
the second of them, the third from the 25th day on, so that one incident is no past; which tells what is rare and far.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array

EULER: Final = 0.577  # a Gumbel's mean is so many widths above its mode
MEMORY: Final = 28.0  # days
LEAST_DAYS: Final = 3  # that tell something
WINSOR: Final = 6.0  # widths above the mean that a day teaches at most
PRIOR_DAYS: Final = 4.0  # that the width of normal noise counts for
SECOND, THIRD = 6, 25  # days from which on the second, and the third greatest is the past
FARTHEST: Final = 2.5  # that the greatest lie apart counts up to this
FADE: Final = np.float32(0.997)


def learn(mean: Array, value: Array, days: Array, width: Array | float, may: npt.NDArray[np.bool_]) -> None:
    """A day's maximum. `mean` is [..., 2, series]: the mean and the mean absolute deviation so far, of `days` days;
    `width`: of normal noise."""
    rate = np.maximum(1 / (days + 1), 1 / MEMORY)
    most = mean[..., 0, :] + WINSOR * np.maximum(mean[..., 1, :], width)
    value = np.where(days > LEAST_DAYS, np.minimum(value, most), value)
    off = value - mean[..., 0, :]
    apart = np.abs(off) * np.sqrt(days / (days + 1))  # the mean so far is not sure
    slower = np.maximum(1 / np.maximum(days, 1), 1 / MEMORY) * (days > 0)
    mean[..., 1, :] += np.where(may, slower * (apart - mean[..., 1, :]), 0)
    mean[..., 0, :] += np.where(may, rate * off, 0)


def keep_three(three: Array, value: Array, may: npt.NDArray[np.bool_]) -> None:
    """The day's maximum joins the three greatest, which fade by a third of a percent a day. `three` is
    [..., 3, series] in falling order, `value` [..., series]."""
    faded = three * FADE
    first, second, third = faded[..., 0, :], faded[..., 1, :], faded[..., 2, :]
    value = np.where(may, value, 0)
    three[..., 0, :] = np.maximum(first, value)
    rest = np.minimum(first, value)
    three[..., 1, :] = np.maximum(second, rest)
    three[..., 2, :] = np.maximum(third, np.minimum(second, rest))


def width_of(mean: Array, days: Array, width: Array | float) -> Array:
    """[..., series] of the daily maximum's distribution: what days tell, shrunk towards the width of normal noise, and
    somewhat more where they are few."""
    told = np.maximum(np.minimum(days, MEMORY) - 1, 0)
    shrunk = (PRIOR_DAYS * width + told * mean[..., 1, :]) / (PRIOR_DAYS + told)
    return np.asarray(shrunk * (1 + 1 / np.maximum(days, 1)))


def beyond(mean: Array, days: Array, width: Array, nats: Array, least: int = LEAST_DAYS) -> Array:
    """[..., series] what a day exceeds with the probability e^-nats, by all days; 0 where they are too few."""
    far = mean[..., 0, :] + width * np.maximum(nats - EULER, 0)
    return np.where(days >= least, far, 0.0)


def beyond_greatest(three: Array, days: Array, width: Array, nats: Array) -> Array:
    """The same by the greatest few days; from the r-th of so many days on, the tail is exponential."""
    second, third = three[..., 1, :].astype(float), three[..., 2, :].astype(float)
    late = days >= THIRD
    rank = np.where(late, 3.0, 2.0)
    tail = np.maximum(width, (width + 2 * np.minimum(second - third, FARTHEST)) / 2)
    far = np.where(late, third, second) + np.maximum(nats + np.log(rank / np.maximum(days, 1)), 0) * tail
    return np.where(days >= SECOND, far, 0.0)

"""How far a daily maximum goes that comes once in so many days, from the days so far.

Two looks at the past. All days: the mean of the daily maxima and how far they lie apart, as of Gumbel's distribution
(its width is about the mean absolute deviation), which a week of days tells already. And the greatest few of weeks:
the second of them, the third from the 25th day on, so that one incident is no past; which tells what is rare and far.
The tail beyond is the normal one, and exponential as far as the days lie farther apart than those of normal noise.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array

EULER: Final = 0.577  # a Gumbel's mean is so many widths above its mode
MEMORY: Final = 28.0  # days
LEAST_DAYS: Final = 3  # that tell something
WINSOR: Final = 4.0  # widths above the mean that a day teaches at most
PRIOR_DAYS: Final = 4.0  # that the width of normal noise counts for
SECOND, THIRD = 6, 25  # days from which on the second, and the third greatest is the past
FARTHEST: Final = 1.2  # that the greatest lie apart counts up to this
LEAST_DEVIATE: Final = 1.5
FADE: Final = np.float32(0.997)


def learn(mean: Array, value: Array, days: Array, width: Array | float, may: npt.NDArray[np.bool_]) -> None:
    """A day's maximum. `mean` is [..., 2, series]: the mean and the mean absolute deviation so far, of `days` days;
    `width`: of normal noise."""
    rate = np.maximum(1 / (days + 1), 1 / MEMORY)
    most = mean[..., 0, :] + WINSOR * np.maximum(mean[..., 1, :], width)
    value = np.where(days >= LEAST_DAYS, np.minimum(value, most), value)
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
    """[..., series] of the daily maximum's distribution: what days tell, shrunk towards the width of normal noise."""
    told = np.maximum(np.minimum(days, MEMORY) - 1, 0)
    return np.asarray((PRIOR_DAYS * width + told * mean[..., 1, :]) / (PRIOR_DAYS + told))


def beyond(mean: Array, days: Array, width: Array | float, nats: Array, least: int = LEAST_DAYS) -> Array:
    """[..., series] what a day exceeds with the probability e^-nats, by all days, with an exponential tail that is
    somewhat wider where they are few; 0 where they are too few."""
    told = width_of(mean, days, width) * (1 + 1 / np.maximum(days, 1))
    return np.where(days >= least, mean[..., 0, :] + told * np.maximum(nats - EULER, 0), 0.0)


def normal_width(z: Array) -> Array:
    """Of the maxima of normal deviates, about `z`: the inverse of the tail's hazard."""
    return np.asarray(z / (1 + z * z))


def farther(z: Array, nats: Array) -> Array:
    """The normal deviate that is so many nats rarer than `z` (to 2 %): of z² / 2 + ln z."""
    first = np.sqrt(z * z + 2 * nats)
    return np.asarray(np.sqrt(np.maximum(z * z + 2 * (nats - np.log(first / z)), z * z)))


def normal_beyond(mean: Array, days: Array, nats: Array) -> tuple[Array, Array]:
    """The same of deviates that are normal where nothing is wrong; and by how much days lie farther apart than those
    of normal deviates, which is certain to half a standard error."""
    usual = np.maximum(mean[..., 0, :], LEAST_DEVIATE)
    width = normal_width(usual)
    unsure = 0.5 * width / np.sqrt(np.maximum(days, 1))
    excess = np.maximum(width_of(mean, days, width) - width - unsure, 0)
    more = np.maximum(nats - EULER, 0)
    return np.where(days >= LEAST_DAYS, farther(usual, more) + excess * more, 0.0), excess


def normal_beyond_greatest(three: Array, days: Array, excess: Array, nats: Array) -> Array:
    """The same by the greatest few days, from the r-th of so many on."""
    second, third = three[..., 1, :].astype(float), three[..., 2, :].astype(float)
    late = days >= THIRD
    usual = np.maximum(np.where(late, third, second), LEAST_DEVIATE)
    more = np.maximum(nats + np.log(np.where(late, 3.0, 2.0) / np.maximum(days, 1)), 0)
    apart = np.minimum(second - third, FARTHEST) - 2 * normal_width(usual)
    far = farther(usual, more) + np.maximum(excess, apart) * more
    return np.where(days >= SECOND, far, 0.0)

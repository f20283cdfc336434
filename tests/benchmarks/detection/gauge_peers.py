"""Other ways to judge values of any unit, each with its usual setting: of each point whether it is unusual, from the
points before it alone."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]
DAY_S: Final = 86_400
SIGMAS: Final = 3.0
WARM_UP: Final = 30


def windowed_gaussian(values: Floats, step_s: float) -> Marks:
    """Mean and deviation of the past two weeks (at least 200 points)."""
    window = max(int(14 * DAY_S / step_s), 200)
    sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (values, values**2))
    at = np.arange(len(values))
    since = np.maximum(at - window, 0)
    count = np.maximum(at - since, 1)
    mean = (sums[at] - sums[since]) / count
    variance = (squares[at] - squares[since]) / count - mean**2
    return _beyond(values - mean, variance)


def ewma_band(values: Floats, step_s: float) -> Marks:
    """A control chart of exponentially weighted mean and variance, a day of memory (S. W. Roberts, 1959)."""
    alpha = 2 / (max(DAY_S / step_s, 24) + 1)
    mean = _before(values, alpha)
    return _beyond(values - mean, _before((values - mean) ** 2, alpha))


def seasonal_naive(values: Floats, step_s: float) -> Marks:
    """A band around the value of a week ago, as wide as that forecast's errors were so far."""
    lag = max(int(7 * DAY_S / step_s), 1)
    errors = np.zeros(len(values))
    errors[lag:] = values[lag:] - values[:-lag]
    squares = np.concatenate([[0.0], np.cumsum(errors**2)])[:-1]
    count = np.arange(len(values)) - lag
    marks = _beyond(errors, squares / np.maximum(count, 1))
    marks[: lag + WARM_UP] = False
    return marks


PEERS: Final[dict[str, Callable[[Floats, float], Marks]]] = {
    "windowed Gaussian": windowed_gaussian,
    "EWMA band": ewma_band,
    "seasonal-naive band": seasonal_naive,
}


def _beyond(errors: Floats, variance: Floats) -> Marks:
    marks = np.abs(errors) > SIGMAS * np.sqrt(np.maximum(variance, 1e-12))
    marks[:WARM_UP] = False
    return np.asarray(marks)


def _before(values: Floats, alpha: float) -> Floats:
    """The exponentially weighted mean of all that came before each point; before the first: the first itself."""
    smooth, _ = lfilter([alpha], [1, alpha - 1], values, zi=values[:1] * (1 - alpha))
    return np.concatenate([values[:1], smooth[:-1]])

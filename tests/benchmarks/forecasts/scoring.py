"""How far forecasts were off, and how often what came lay within their bands."""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
CLIPPED: Final = (0.2, 5.0)


def geometric(ratios: Floats) -> float:
    """The mean of per-series ratios, each clipped, so that no series carries it."""
    return float(np.exp(np.log(np.clip(ratios, *CLIPPED)).mean()))


def errors(middle: Floats, actual: Floats) -> Floats:
    """(series, origins, steps) -> (series,): the mean absolute error over all origins and steps."""
    return np.asarray(np.nanmean(np.abs(middle - actual), axis=(1, 2)), np.float64)


def covered(bands: Floats, actual: Floats) -> tuple[float, float, float]:
    """(..., 3) and (...) -> shares of what came that lay inside, below and above, where there was a band."""
    some = np.isfinite(bands).all(axis=-1)
    below, above = float((actual < bands[..., 0])[some].mean()), float((actual > bands[..., 2])[some].mean())
    return 1 - below - above, below, above


def pinball(bands: Floats, actual: Floats) -> Floats:
    """Of P10 and P90: (series, origins, steps, 3) and (series, origins, steps) -> (series,)."""
    low, high = actual - bands[..., 0], actual - bands[..., 2]
    losses = np.maximum(0.1 * low, -0.9 * low) + np.maximum(0.9 * high, -0.1 * high)
    return np.asarray(np.nanmean(losses, axis=(1, 2)), np.float64)


def sick(bands: Floats, most: Floats) -> int:
    """Forecasts, (series, origins, steps, 3), with a figure that is negative, not finite, above 5 times (P90: 20 times)
    what there was at most: (series, origins)."""
    limit = np.maximum(most, 1e-9)[..., None]
    wrong = ~np.isfinite(bands).all(axis=-1) | (bands < 0).any(axis=-1)
    wrong |= (bands[..., 1] > 5 * limit) | (bands[..., 2] > 20 * limit)
    return int(wrong.any(axis=2).sum())

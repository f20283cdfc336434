"""Medians and means along an axis, of arrays with gaps (NaN); NaN where there is nothing."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def median(values: Floats, axis: int = -1) -> Floats:
    """Of what is known. By sorting: faster than numpy's own on short axes."""
    values = np.moveaxis(values, axis, -1)
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # NaN comes last
    known = np.isfinite(values).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum((known - 1) // 2, 0)[..., None], -1)[..., 0]
    high = np.take_along_axis(ordered, np.minimum(known // 2, values.shape[-1] - 1)[..., None], -1)[..., 0]
    return np.asarray(np.where(known > 0, (low + high) / 2, np.nan), np.float64)


def middle(values: Floats, cut: int) -> Floats:
    """The mean of what is known without the `cut` lowest and as many highest; the median where there are too few for
    that. (..., n) -> (...)."""
    ordered = np.sort(values, axis=-1)  # NaN comes last
    known = np.isfinite(values).sum(axis=-1)[..., None]
    off = np.minimum(cut, np.maximum((known - 1) // 2, 0))
    place = np.arange(values.shape[-1])
    return mean(np.where((place >= off) & (place < known - off), ordered, np.nan))


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Of what is known; weights are not negative. (..., n), (n,) -> (...)."""
    known = np.isfinite(values)
    total = known.astype(np.float64) @ weights
    added = np.where(known, values, 0.0) @ weights
    return np.asarray(np.divide(added, total, out=np.full(total.shape, np.nan), where=total > 0), np.float64)


def decayed(length: int, half_life: float) -> Floats:
    """Weights of `length` values, the last of which is the newest and counts 1."""
    return np.asarray(0.5 ** (np.arange(length - 1, -1, -1) / half_life), np.float64)


def mean(values: Floats, axis: int = -1) -> Floats:
    """Of what is known."""
    values = np.moveaxis(values, axis, -1)
    return weighted_mean(values, np.ones(values.shape[-1]))

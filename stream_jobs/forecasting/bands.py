"""Bands that hold: what earlier forecasts missed by, in units of each series' usual miss, pooled over series alike.

A series' own misses are too few for its P10 and P90, and those of many together are not, once each is divided by how
far its series usually misses. That is estimated from the other half of the time, so that the pooled misses hold the
error of the estimate as well (split conformal prediction, with a scale for each series). Alike are those that miss by
about as much of their level: what is regular has no tails like what comes in bursts.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.forecasting.robust import median

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
ENDS: Final = (3, 8, 24, 48, 72, 168, 336)
"""Steps are judged together up to these; those behind the last are one more bucket."""
OF_STEPS: Final = 20.0
OF_SUMS: Final = 60.0
"""So many earlier forecasts of its own move a series' usual miss halfway from that of its group to its own. Of sums
more: those of neighbouring origins are nearly the same."""
PRIOR: Final = 0.2
"""The usual miss as a share of the level (on the cube root, so a factor of two either way is P10 to P90), until there
is any to look at."""
WIDER: Final = 1.25
"""Per bucket, where no forecast so far ahead can have come true yet."""
POINTS: Final = 99
NORMAL: Final = 1.2533
"""The standard deviation of normal noise, in units of its mean absolute value."""


ALIKE: Final = 26
"""Series, at least, are pooled: as many groups are made as that allows, up to MOST_GROUPS."""
MOST_GROUPS: Final = 6


@dataclass(frozen=True, slots=True)
class Bucket:
    scale: Floats  # (series,): the usual miss, a mean absolute value
    shape: Floats  # (series, POINTS): misses in units of it, rising; evenly spaced in probability


def bucket_of(horizon: int) -> Integers:
    """Of each step from the origin on."""
    return np.searchsorted(np.array(ENDS), np.arange(1, horizon + 1))


def buckets(missed: Floats, targets: Integers, level: Floats, usual: Flags, own: float) -> list[Bucket]:
    """One for each bucket up to the horizon. `missed`: (origins, series, steps), `targets`: (origins, steps),
    `level`: (series,), all on the scale of the misses; `usual`: (series,), whose misses say something of others.
    `own`: OF_STEPS or OF_SUMS."""
    groups = _groups(missed, level, usual)
    of_groups = [_of_group(missed[:, one], targets, level[one], own) for one in groups]
    found = []
    for place in range(int(bucket_of(missed.shape[2]).max(initial=-1)) + 1):
        together = Bucket(np.zeros(len(level)), np.zeros((len(level), POINTS)))
        for one, made in zip(groups, of_groups, strict=True):
            together.scale[one], together.shape[one] = made[place].scale, made[place].shape
        found.append(together)
    return found


def _groups(missed: Floats, level: Floats, usual: Flags) -> list[Integers]:
    """Places of series that are alike, by the share of their level that they miss by. Those that have missed nothing
    yet are in the middle; those that are not usual are by themselves."""
    known = np.isfinite(missed)
    own = np.where(known, np.abs(missed), 0.0).sum(axis=(0, 2)) / np.maximum(known.sum(axis=(0, 2)), 1)
    shares = np.where(known.any(axis=(0, 2)) & (level > 0), own / np.maximum(level, 1e-300), np.nan)
    shares = np.where(np.isfinite(shares), shares, np.nan_to_num(median(np.where(usual, shares, np.nan))))
    some = np.flatnonzero(usual)
    some = some[np.argsort(shares[some], kind="stable")]
    parts = np.array_split(some, int(np.clip(len(some) // ALIKE, 1, MOST_GROUPS)))
    return [one for one in (*parts, np.flatnonzero(~usual)) if len(one)]


def _of_group(missed: Floats, targets: Integers, level: Floats, own: float) -> list[Bucket]:
    places = bucket_of(missed.shape[2])
    found: list[Bucket] = []
    for place in range(int(places.max(initial=-1)) + 1):
        steps = places == place
        some = missed[:, :, steps]
        if np.isfinite(some).any():
            found.append(_bucket(some, targets[:, steps], level, own))
        else:
            before = found[-1] if found else Bucket(PRIOR * level / WIDER, _normal())
            found.append(Bucket(before.scale * WIDER, before.shape))
    return found


def _bucket(missed: Floats, targets: Integers, level: Floats, own: float) -> Bucket:
    scale = _scale(missed, level, own)
    known = targets[np.isfinite(missed).any(axis=1)]
    early = (targets < np.median(np.unique(known)))[:, None, :]
    pooled = []
    for half in (early, ~early):
        other = np.where(half, np.nan, missed)
        by = _scale(other, level, own) if np.isfinite(other).any() else scale
        units = np.where(half, missed, np.nan) / np.maximum(by, 1e-300)[None, :, None]
        pooled.append(units[np.isfinite(units)])
    together = np.concatenate(pooled)
    if not len(together):
        return Bucket(scale, _normal())
    return Bucket(scale, np.quantile(together, (np.arange(POINTS) + 0.5) / POINTS))


def _scale(missed: Floats, level: Floats, own: float) -> Floats:
    """(series,): the mean absolute miss, shrunk to the group's share of the level."""
    known = np.isfinite(missed)
    forecasts = known.any(axis=2).sum(axis=0)
    means = np.where(known, np.abs(missed), 0.0).sum(axis=(0, 2)) / np.maximum(known.sum(axis=(0, 2)), 1)
    shares = np.where((forecasts > 0) & (level > 0), means / np.maximum(level, 1e-300), np.nan)
    usual = float(median(shares))
    usual = usual if np.isfinite(usual) and usual > 0 else PRIOR
    return np.asarray((forecasts * means + own * usual * level) / (forecasts + own), np.float64)


def _normal() -> Floats:
    """Of misses that nobody has seen yet."""
    return np.array([NormalDist(0, NORMAL).inv_cdf((one + 0.5) / POINTS) for one in range(POINTS)])

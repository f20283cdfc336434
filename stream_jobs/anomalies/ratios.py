"""The drivers of a cost: quotients of two sums, and the scale on which each behaves. Plain functions.

Tokens per request and price per token are judged by their logarithm (they have tails, and a change is a factor). Shares
are judged by the arcsine of their root: its variance is 1 / 4n for a share of n, whatever the share (Anscombe, 1948),
and unlike a logit it knows 0 and 1.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from stream_jobs.detection.model import Direction, Floats
from stream_jobs.series.measures import Measure

QUOTIENTS: Final[Mapping[str, tuple[Measure, Measure]]] = {
    "tokens_per_request": ("tokens", "events"),
    "price_per_token": ("effective_cost", "tokens"),
    "cost_per_request": ("effective_cost", "events"),
    "cache_rate": ("cache_read_tokens", "input_tokens"),
    "error_rate": ("errors", "events"),
    "gpu_utilization": ("busy_gpu_seconds", "gpu_seconds"),
}
"""What each driver is the quotient of."""
SUMS: Final[tuple[Measure, ...]] = (
    *("events", "effective_cost", "input_tokens", "output_tokens", "cache_read_tokens", "errors"),
    *("gpu_seconds", "busy_gpu_seconds"),
)
"""What judging takes."""
JUDGED: Final = ("tokens_per_request", "price_per_token", "cache_rate", "error_rate", "gpu_utilization")
"""In the order in which `values_of` gives them. The cost per request is the product of the first two."""
LEAST_REQUESTS: Final = 100
"""Of fewer in an hour a quotient is noise, and counts as unknown."""
LEAST_GPU_SECONDS: Final = 900.0
"""Likewise, of a utilization."""
_AS_LOGARITHM: Final = ("tokens_per_request", "price_per_token")
_SAVES: Final = ("cache_rate", "gpu_utilization")
"""Whose rise lowers the cost."""


class Figures(NamedTuple):
    """Of a driver, in its unit."""

    actual: float
    expected: float
    low: float
    high: float


def values_of(sums: Mapping[Measure, Floats]) -> Floats:
    """[series, JUDGED] of sums [series] over an hour, on the scale of each; NaN where too little is behind it."""
    enough = sums["events"] >= LEAST_REQUESTS
    tokens = sums["input_tokens"] + sums["output_tokens"]
    found = []
    for name in JUDGED:
        over, under = (tokens if part == "tokens" else sums[part] for part in QUOTIENTS[name])
        there = sums["gpu_seconds"] >= LEAST_GPU_SECONDS if name == "gpu_utilization" else enough
        there = there & (under > 0) & ((over > 0) if name in _AS_LOGARITHM else (over >= 0))
        quotient = np.divide(over, under, out=np.full(len(over), np.nan), where=there)
        if name in _AS_LOGARITHM:
            found.append(np.log(quotient))
        else:
            found.append(np.arcsin(np.sqrt(np.minimum(quotient, 1.0))))
    return np.stack(found, axis=1)


def quotient_of(name: str, value: float) -> float:
    """From the scale back to the driver's unit."""
    if name in _AS_LOGARITHM:
        return float(np.exp(np.clip(value, -200.0, 200.0)))
    return float(np.sin(np.clip(value, 0.0, np.pi / 2)) ** 2)


def pull_of(measure: str, direction: Direction) -> Direction:
    """Whether the cost rises or falls by it: a cache that is hit less often makes it rise. Of what is no driver, its
    own direction."""
    if measure not in _SAVES:
        return direction
    return "down" if direction == "up" else "up"


def at_stake(name: str, figures: Figures) -> float:
    """The share of the cost that the difference made, positive for more: an estimate, for what is told must be worth
    it. Of a token's price and a request's length the cost is a multiple; of a share, requests (tokens, GPU seconds)
    times the difference, each at what it cost on average."""
    if name in _AS_LOGARITHM:
        return 1.0 - figures.expected / figures.actual
    more = figures.actual - figures.expected
    return -more if name in _SAVES else more

"""Other ways to detect, each with its usual setting, on the cost of the same minutes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers import (
    ewma_band,
    seasonal_naive,
    stl_residuals,
    thrice_weekly_mean,
    windowed_gaussian,
)


@dataclass(frozen=True, slots=True)
class Peer:
    """`find`: from cost [series, minutes], the first minute, and the one from which it is judged; it never looks ahead.
    `share`: of the series, where it is too slow for all."""

    find: Callable[[Floats, int, int], list[Found]]
    share: float = 1.0


PEERS: Final[dict[str, Peer]] = {
    "windowed Gaussian": Peer(windowed_gaussian.find),
    "EWMA band": Peer(ewma_band.find),
    "seasonal-naive band": Peer(seasonal_naive.find),
    "STL residuals": Peer(stl_residuals.find, 0.1),
    "LiteLLM's rule": Peer(thrice_weekly_mean.find),
}

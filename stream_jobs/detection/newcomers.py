"""A series in its first day, beside what series like it (its peers) spend in an hour: told when it spends so many times
that (`Config.peers_times`) within an hour. Meanwhile it goes on to be learned: afterwards it is judged by itself."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.config import Config
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import COST, FAST, N_FAST
from stream_jobs.detection.state import MINUTES, NEW_SERIES, State

FIRST_DAY: Final = 24  # hours
HOUR: Final = N_FAST - 1  # the window of an hour
QUARTER: Final = N_FAST - 2
BACK: Final = 0.1  # of what is told: with less it is over


def beyond(s: State, config: Config) -> npt.NDArray[np.bool_]:
    """[series] that spend what no peer does."""
    much = s.win_x[COST, HOUR] > np.maximum(config.peers_times * s.peer, config.floor_money)  # see `bound`
    return np.asarray(much & (s.peer > 0) & (s.age < FIRST_DAY))


def bound(s: State, i: int, config: Config) -> float:
    """USD that series `i` may spend within an hour without being told."""
    return max(config.peers_times * float(s.peer[i]), config.floor_money)


def is_open(s: State, i: int) -> bool:
    return bool(s.side[i] and s.kind[i] == NEW_SERIES)


def begun(d: Frame, i: int) -> int:
    """The first minute of the last hour in which series `i` spent something."""
    s, at = d.state, d.at
    return next(
        at - ago for ago in range(MINUTES - 1, -1, -1) if s.ring_x[COST, (at - ago) % MINUTES, i] > 0 or not ago
    )


def ended(d: Frame, i: int) -> int:
    """The minute after the last one of the last hour that was beyond what its peers spend."""
    s, at = d.state, d.at
    little = BACK * d.config.peers_times * float(s.peer[i]) / MINUTES
    beyond = (at - ago for ago in range(MINUTES) if s.ring_x[COST, (at - ago) % MINUTES, i] >= little)
    return next(beyond, at - MINUTES) + 1


def score(s: State, i: int, config: Config) -> float:
    """In nats: a convention, by how far beyond it is."""
    return float(12 + 4 * np.log(s.win_x[COST, HOUR, i] / (config.peers_times * s.peer[i])))


def usual_minute(s: State, own: Array, which: npt.NDArray[np.intp]) -> Array:
    """[which] what is expected of a minute: a peer's, where the finding is of that."""
    return np.asarray(np.where(s.kind[which] == NEW_SERIES, s.peer[which] / MINUTES, own[which]))


def calm(s: State, config: Config, which: npt.NDArray[np.intp], otherwise: npt.NDArray[np.bool_]) -> Array:
    """[which] series whose last quarter of an hour is not beyond their peers any more; `otherwise` of other
    findings."""
    little = s.win_x[COST, QUARTER, which] < BACK * config.peers_times * s.peer[which] * FAST[QUARTER] / MINUTES
    return np.asarray(np.where(s.kind[which] == NEW_SERIES, little, otherwise))


def excise(d: Frame, i: int) -> None:
    """What is over is not told again: the windows of series `i` hold what its peers spend. Its own usual may be what
    it spent in its first hours, so they are held against nothing else until they have passed."""
    s, at = d.state, d.at
    d.stale = True
    s.ring_x[COST, :MINUTES, i] = np.minimum(s.ring_x[COST, :MINUTES, i], s.peer[i] / MINUTES)
    s.ring_e[COST, :MINUTES, i] = s.ring_x[COST, :MINUTES, i]
    for row, window in enumerate(FAST):
        ago = [(at - k) % MINUTES for k in range(window)]
        s.win_x[COST, row, i] = s.win_e[COST, row, i] = sum(s.ring_x[COST, ago, i].tolist())

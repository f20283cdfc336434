"""Single requests: what one costs, one that is dear beyond measure, and how long there was none."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection import figures, minutes, tails
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.config import Config
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import REQUEST
from stream_jobs.detection.state import MINUTES, State
from stream_jobs.detection.thresholds import needed_nats

DEAR_WIDTH: Final = 0.35  # of the logarithm of a day's dearest request, where nothing is known
LEAST: Final = 1e-20
LOCAL: Final = 30.0  # requests that the mean so far counts for beside the last hour's
ALONE: Final = 5  # minutes after a dear request in which none is taken out ...
ALONE_GUESSED: Final = 60  # ... where nobody tells the squares
MANY, MANY_TIMES = 5.0, 3.0  # requests beside the usual in a minute: so many are a burst, and no guess at one of them
YOUNG: Final = 24  # hours in which no request is dear: nobody knows what one costs


def squares_of(s: State, cost: Array, events: Array) -> Array:
    """Where nobody tells: (C - n m)² + n m² (of a minute that cost less, n m²), m the mean cost of a request in the
    last hour (of few requests, that so far), so that requests which cost more from now on are not taken for a dear one
    in every minute."""
    mean = (s.win_x[0, 3] + LOCAL * s.money / np.maximum(s.requests, 1.0)) / (s.win_x[1, 3] + LOCAL)
    rest = np.maximum(cost - events * mean, 0)
    equal = cost * cost / np.maximum(events, 1.0)
    return np.where(s.requests > 0, rest * rest + events * mean * mean, equal)


def dearest_of(s: State, cost: Array, events: Array, squares: Array) -> Array:
    """[series] what the dearest request of a minute cost: the x for which the others, n - 1 that cost C - x together,
    differ among themselves as the series' requests do: x² + kappa (C - x)² / (n - 1) = Q. Whatever a mean request costs
    now, a minute of hundreds of ordinary ones holds no dear one; a single request is known exactly."""
    several = events > 1
    kappa = np.maximum(s.squares * s.requests / np.maximum(s.money * s.money, 1e-300), 1.0)
    k = np.where(several, np.where(s.requests > 0, kappa, 1.0) / np.maximum(events - 1, 1), 0.0)
    inner = np.maximum(squares * (1 + k) - k * cost * cost, 0)
    return np.minimum(np.where(inner > 0, (k * cost + np.sqrt(inner)) / (1 + k), 0.0), np.sqrt(squares))


def possible(squares: Array, cost: Array, events: Array) -> Array:
    """What was given, as far as so many requests can have it: least where all cost alike, most where one cost all."""
    most = cost * cost
    return np.asarray(np.clip(squares, most / np.maximum(events, 1.0), most))


def take(frame: Frame, x: npt.NDArray[np.float32], usual: Array, squares: Array | None) -> npt.NDArray[np.intp]:
    """Adds to the sums of squares. Cuts what is dear beyond measure out of the minute's cost x[0], so that it is told
    once, by itself, and by no window; returns the numbers of the series where one is to be told. Dear requests that
    follow one another are no single one: windows tell them. `usual`: [series] the minute's usual cost; where a dear one
    came in place of others, what is left is not less than that.
    """
    s = frame.state
    cost, events = x[0].astype(float), x[1].astype(float)
    mean = s.money / np.maximum(s.requests, 1.0)
    if squares is None:
        given = squares_of(s, cost, events)
    else:
        given = np.zeros(s.columns)
        given[: frame.count] = squares
    given = possible(given, cost, events)
    dearest = dearest_of(s, cost, events, given)
    bound = np.maximum(frame.config.dear_factor * s.dear[2], 20 * s.phi[0])
    alone = frame.at - s.dear_at > (ALONE_GUESSED if squares is None else ALONE)
    if squares is None:
        alone &= events <= MANY_TIMES * s.win_e[1, 3] / MINUTES + MANY
    cut = (dearest > bound) & (s.age > YOUNG) & alone
    told = np.empty(0, dtype=np.intp)
    if cut.any():
        frame.dear_bound = np.maximum(bound, dear_bound(s))
        told = np.flatnonzero(
            cut & (dearest > frame.dear_bound) & (dearest > frame.config.dear_share * figures.usual_day(s))
        )
        frame.dearest = dearest
        others = np.maximum(np.maximum(cost - dearest, 0) + mean, np.minimum(cost, usual))
        x[0] = np.where(cut, others, cost)
        given = np.where(cut, bound * bound, given)
        np.copyto(s.dear_at, frame.at, where=cut)
    np.maximum(s.dear_today, np.minimum(dearest, 1e30), out=s.dear_today)
    left = np.where(cut, mean, dearest) / np.maximum(s.phi[0], 1e-30)
    s.ring_dear[frame.at % MINUTES] = minutes.as_step(left)
    s.hour_squares += given
    return told


def dear_bound(s: State) -> Array:
    """[series] what days like those so far do not hold: the logarithm of a day's dearest request, with a tail that is
    as wide as those of the past were apart."""
    nats = needed_nats(Config().budget)[REQUEST] + s.more
    days = np.floor(s.age / 24.0)
    return np.exp(np.minimum(tails.beyond(s.dear_mean, days, DEAR_WIDTH, nats, least=1), 60))


def learn_day(s: State, may: npt.NDArray[np.bool_]) -> None:
    """The day's dearest request joins those of the days so far."""
    some = may & (s.dear_today > 0)
    days = np.maximum(np.floor(s.age / 24.0) - 1, 0)
    tails.learn(s.dear_mean, np.log(np.maximum(s.dear_today, LEAST)), days, DEAR_WIDTH, some)
    tails.keep_three(s.dear, s.dear_today, may)
    s.dear_today[:] = 0


def count_gap(frame: Frame, events: Array, usual: Array) -> None:
    """Adds the requests that are usual in the minute to the gap since the last one; a request ends it. Of an hour of
    the week that was never seen, those that are due at least."""
    s = frame.state
    new = s.unseen > minutes.UNSEEN
    s.gap += np.where(new, usual * np.exp(-2 * np.sqrt(s.unseen.astype(np.float32))), usual) if new.any() else usual
    some = events > 0
    if some.any():
        told = (s.side != 0) & ~s.repeats  # counts up to its limit
        longest = np.where(told, np.minimum(s.gap, s.limit_gap), s.gap)
        np.maximum(s.gap_today, np.where(some, longest, 0.0), out=s.gap_today)
        s.gap *= ~some
        np.copyto(s.last, frame.at, where=some)

"""A warm start: weeks of hourly sums are replayed as hours, which is what baseline and most scales learn from
anyway."""

from typing import Final

import numpy as np

from stream_jobs.detection import baseline, calibration, hours, minutes, requests
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Floats
from stream_jobs.detection.state import MINUTES, PARTIAL

CAUTIOUS: Final = 0.1
"""tau² of windows of minutes until minutes have come: hours do not tell how much minutes differ."""


def learn_hours(frame: Frame, at: int, events: Floats, cost: Floats, squares: Floats | None) -> None:
    """Arrays of [series, hours]; the first hour begins at minute `at`, which is the first of an hour. Raises
    ValueError."""
    s, count = frame.state, frame.count
    if at % MINUTES:
        raise ValueError(f"minute {at} is not the first of an hour")
    if events.shape != cost.shape or events.shape[0] != count or (squares is not None and squares.shape != cost.shape):
        raise ValueError(f"events {events.shape} and cost {cost.shape} are not [series, hours] of {count} series")
    for hour in range(events.shape[1]):
        begin = at + hour * MINUTES
        frame.begin_hour(begin)
        x = np.zeros((2, s.columns))
        x[0, :count], x[1, :count] = np.maximum(cost[:, hour], 0), np.maximum(events[:, hour], 0)
        s.win_x[:, PARTIAL] = s.win_x[:, 3] = x
        s.win_e[:, PARTIAL] = s.win_e[:, 3] = _usual_hour(frame)
        frame.at = begin + MINUTES - 1
        frame.look()
        _squares(frame, x, None if squares is None else squares[:, hour])
        _gaps(frame, x[1], begin)
        free = calibration.free_to_learn(s)
        minutes.learn_row(s, 3, frame.z[:, 3], frame.variance[:, 3], frame.counting[:, 3], (s.age > 3) * free)
        minutes.learn_hour_maximum(s, frame.z[:, 3])
        s.known[:] = MINUTES
        hours.end_hour(frame, frame.z, quiet=True)
    s.win_x[:] = 0
    s.win_e[:] = 0
    for tau2 in (s.tau2, s.tau2_up):
        tau2[:, :3] = np.maximum(tau2[:, 3:], CAUTIOUS)
    frame.look()


def _usual_hour(frame: Frame) -> Array:
    """Each of the line's two pieces by its middle minutes."""
    total = np.zeros((2, frame.state.columns))
    for minute in (14, 15, 44, 45):
        total = total + baseline.usual_minute(frame.state, minute) * 15.0
    return total


def _squares(frame: Frame, x: Array, given: Array | None) -> None:
    s = frame.state
    if given is None:
        s.hour_squares[:] = requests.squares_of(s, x[0], x[1])
    else:
        s.hour_squares[: frame.count] = given
        s.hour_squares[:] = requests.possible(s.hour_squares, x[0], x[1])
        dearest = np.sqrt(s.hour_squares)
        np.maximum(s.dear_today, dearest, out=s.dear_today)


def _gaps(frame: Frame, events: Array, begin: int) -> None:
    """A gap that ends in an hour of many requests was over at its beginning."""
    s = frame.state
    some = events > 0
    np.maximum(s.gap_today, np.where(some, s.gap, 0.0), out=s.gap_today)
    s.gap[:] = np.where(some, 0.0, s.gap + s.win_e[1, PARTIAL])
    s.last[some] = begin + MINUTES - 1

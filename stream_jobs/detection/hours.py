"""What happens when an hour or a day ends: deviates join the past, findings of days are judged, and what may learn,
learns."""

from typing import Final

import numpy as np

from stream_jobs.detection import baseline, calibration, life, ramp, requests
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.model import Finding
from stream_jobs.detection.state import MINUTES, PARTIAL

FADE: Final = 0.997  # of the sums that tell what a request costs, an hour
FORGETS: Final = np.float16(0.99)  # of what was told again and again, an hour: half in three days
LEARNS_AFTER: Final = 48  # hours that a series is known before its scales' spread is learned


def end_hour(frame: Frame, deviates: Array, quiet: bool) -> list[Finding]:
    """The minute `frame.at` is the last of its hour. `deviates`: [measures, windows and the hour, series]."""
    s, at = frame.state, frame.at // MINUTES * MINUTES
    free = s.free
    whole = s.known >= MINUTES / 2
    s.age += whole
    share = np.maximum(s.known / MINUTES, 1e-9)
    actual, usual = s.win_x[:, PARTIAL], s.win_e[:, PARTIAL]
    calibration.push_hour(s, (deviates[:, PARTIAL] - s.mean_z) * whole * _told(frame, at), actual, usual)
    frame.hour_pushed = True
    ramp.push_hour(s, actual, usual, whole)
    ends_day = at % (24 * MINUTES) == 23 * MINUTES
    if ends_day:
        ramp.push_day(s, free)
    elif (of_day := at // MINUTES % 24 + 1) % ramp.EVERY == 0:
        ramp.judge(s, of_day)
    found = [] if quiet else life.end_hour(frame, deviates[:, PARTIAL])
    old = s.age > LEARNS_AFTER
    learns = calibration.free_to_learn(s) * (whole & old)
    calibration.learn_mean(s, deviates[:, PARTIAL], learns)
    calibration.learn_hour(s, learns)
    sigma = np.sqrt(frame.variance[:, PARTIAL])
    baseline.learn_hour(s, at, actual / share, usual / share, sigma, (free & whole).astype(float))
    # what is dear while a finding is open is no noise
    s.squares = s.squares * FADE + np.where(s.side == 0, s.hour_squares, s.phi[0] * actual[0])
    s.money = s.money * FADE + actual[0]
    s.requests[:] = s.requests * FADE + actual[1]
    s.hour_squares[:] = 0
    s.habit *= FORGETS
    if ends_day:
        free = s.free
        calibration.learn_day(s, free & old)
        requests.learn_day(s, free)
        baseline.learn_day(s, np.sqrt(s.tau2[:, 3]) + 0.05, free.astype(float))
    frame.hour_pushed, frame.stale = False, True
    return found


def _told(frame: Frame, at: int) -> Array:
    """[measures, series] how much an hour tells of a level beside what its season may be that is not known. Hours of a
    first day are off together, as a night is from the day: added up they would be a shift in every series."""
    unseen = baseline.unseen(frame.state, baseline.visits(frame.state, baseline.hour_of_week(at)))
    return np.asarray(1 - np.minimum(unseen / frame.variance[:, PARTIAL], 1.0))

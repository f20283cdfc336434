"""The present minute of a detector: its state, and what every module works on."""

from typing import Final

import numpy as np

from stream_jobs.detection import baseline, calibration, minutes, noise
from stream_jobs.detection.arrays import Array
from stream_jobs.detection.config import Config
from stream_jobs.detection.scales import FAST, HOURS, N_FAST, N_HOURS
from stream_jobs.detection.state import MINUTES, PARTIAL, State

BEFORE: Final = -1
WHOLE: Final = np.array(HOURS, dtype=float)[:, None]
PAST_PART: Final = [
    np.array([*(max(window - minute - 1, 0) / window for window in FAST), 0.0], dtype=np.float32)
    for minute in range(MINUTES)
]
"""How much of each window, and of the hour so far, lies before the present hour, by the minute of the hour."""


class Frame:
    """Arrays have all columns, those without a series included."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.state = State()
        self.count = 0  # of series
        self.at = BEFORE  # the last minute taken
        self.hour_pushed = False  # the present hour is among the past ones already
        self.stale = False  # the state has changed since it was looked at
        # of the last minute, they follow from the state:
        self.z: Array = np.zeros((2, N_FAST + 1, 0))  # [measures, windows and present hour, series]: deviates
        self.variance = self.z  # of the logarithm
        self.counting = self.z  # the part of it that counting explains
        self.judged: Array = np.zeros((2, calibration.MINUTELY, 0))  # sums of deviates, as limits are laid
        self.hours_before: Array = np.zeros((2, N_HOURS, 0))  # sums of hours that are added to it
        self.dearest: Array = np.zeros(0)  # [series]: the minute's dearest request, where one is told ...
        self.dear_bound: Array = np.zeros(0)  # [series] ... and what one may cost without being told

    @property
    def hours_past(self) -> int:
        """Hours since 1970 that are over and among the past ones."""
        return self.at // MINUTES + self.hour_pushed

    def last_hours(self, i: int, hours: int) -> tuple[Array, Array]:
        """[measures] what came to series `i` in so many hours, the present one among them as far as it is, and what was
        usual."""
        s, whole = self.state, slice(0, hours - (not self.hour_pushed))
        x, e = (past[:, whole, i].sum(axis=1, dtype=float) for past in (s.past_x, s.past_e))
        if self.hour_pushed:
            return x, e
        return x + s.win_x[:, PARTIAL, i], e + s.win_e[:, PARTIAL, i]

    def begin_hour(self, at: int) -> None:
        """Minute `at` is the first of its hour, or of all."""
        s = self.state
        baseline.begin_hour(s, at // MINUTES * MINUTES)
        s.win_x[:, PARTIAL] = 0
        s.win_e[:, PARTIAL] = 0
        s.known[:] = 0
        s.phi[0] = np.where(s.money > 0, s.squares / np.maximum(s.money, 1e-300), 1.0)
        hour = np.maximum((s.line[0] + s.line[2]) * 30 + s.line[1] * 450 + s.line[3] * 1350, 1e-9 * s.phi)
        s.hour_v[:] = np.log1p(s.phi / hour) + s.tau2[:, 3] + s.unsure
        self.hours_before = calibration.before(s, False)
        calibration.lay_limits(s, self.config)

    def resume(self) -> None:
        """What follows from a state that was given, or that has more series now."""
        self.hours_before = calibration.before(self.state, self.at % MINUTES == MINUTES - 1)
        self.look()

    def fresh(self) -> None:
        """Before somebody outside looks: what a minute's end has learned or closed counts, as it does after a load."""
        if self.stale:
            self.resume()

    def look(self) -> None:
        """Work out the deviates of the windows as they stand."""
        s = self.state
        self.stale = False
        filled = max(row for row, window in enumerate(FAST) if window <= self.at % MINUTES + 1)
        rows = [*range(N_FAST), filled]  # the hour so far is as noisy as the longest window that it fills
        tau2 = s.tau2[:, rows] + s.unsure[:, None]
        tau2_up = minutes.upward(s.tau2[:, rows], s.tau2_up[:, rows]) + s.unsure_up[:, None]
        if s.unseen_before.any():  # windows that reach into the hour before
            before = PAST_PART[self.at % MINUTES][:, None] * s.unseen_before.astype(np.float32)
            tau2, tau2_up = tau2 + before, tau2_up + before
        self.z, self.variance, self.counting = noise.deviates(s.win_x, s.win_e, s.phi[:, None], tau2, tau2_up)
        hour = np.clip(self.z[:, PARTIAL], -40, 40)
        self.judged = np.empty((2, calibration.MINUTELY, s.columns))
        self.judged[:, :N_FAST] = self.z[:, :N_FAST]
        # the present hour counts as much as it tells: a matched filter, in units of the whole hours' sums
        weight2 = np.minimum(s.hour_v / self.variance[:, PARTIAL], 1.0)
        part = np.clip(hour - s.mean_z, -4, 4) * np.sqrt(weight2)
        np.add(part[:, None], self.hours_before, out=self.judged[:, N_FAST:])
        self.judged[:, N_FAST:] *= np.sqrt(WHOLE / (WHOLE - 1 + weight2[:, None]))
        self.judged[:, N_FAST] = hour

"""What a finding leaves behind in what was learned: its level moved, or its stretch taken out."""

from collections.abc import Sequence

import numpy as np

from stream_jobs.detection import calibration, figures, ramp
from stream_jobs.detection.baseline import UNKNOWN
from stream_jobs.detection.figures import DAY
from stream_jobs.detection.frame import Frame
from stream_jobs.detection.scales import FAST, MEASURES
from stream_jobs.detection.state import HOUR_WINDOWS, MINUTES, PARTIAL, RAMP_DAYS


def move(d: Frame, i: int, measure: int, moved: float) -> None:
    """The level, and what is usual of the past hours."""
    s = d.state
    d.stale = True
    s.level[measure, i] += moved
    s.line[:, measure, i] *= np.exp(moved)
    for values in (s.ring_e, s.win_e, s.past_e):
        values[measure, ..., i] *= np.exp(moved)


def unlearn(d: Frame, i: int, moved: Sequence[float]) -> None:
    """What was learned of a ramp is forgotten: it is judged by the level before it, and is over when that is back."""
    s = d.state
    for measure in range(MEASURES):
        if s.level[measure, i] > UNKNOWN:
            move(d, i, measure, moved[measure])
    s.trend[:, i] = s.trend_past[:, i]


def excise(d: Frame, i: int, begun: int, moved: Sequence[float] = (0.0, 0.0), until: int | None = None) -> None:
    """From `begun` until now every minute of series `i` is as usual, in all windows; before it, days' levels are
    `moved` with that of now. What has come from minute `until` on stays in the windows of minutes."""
    s, at = d.state, d.at
    d.stale = True
    left = 0 if until is None else min(at + 1 - until, MINUTES)
    back = min(at + 1 - begun, MINUTES)
    slots = [(at - ago) % MINUTES for ago in range(left, back)]
    s.ring_x[:, slots, i] = s.ring_e[:, slots, i]
    for row, window in enumerate(FAST):
        ago = [(at - k) % MINUTES for k in range(window)]
        for measure in range(MEASURES):
            s.win_x[measure, row, i] = figures.total(s.ring_x[measure, ago, i])
            s.win_e[measure, row, i] = figures.total(s.ring_e[measure, ago, i])
    s.win_x[:, PARTIAL, i] = s.win_e[:, PARTIAL, i]
    kept = [(at - ago) % MINUTES for ago in range(min(left, at % MINUTES + 1))]
    for measure in range(MEASURES):
        s.win_x[measure, PARTIAL, i] += figures.total(s.ring_x[measure, kept, i] - s.ring_e[measure, kept, i])
    hours = min(at // MINUTES - begun // MINUTES + 1, s.hours_z.shape[1])
    s.hours_z[:, :hours, i] = 0
    for scale, length in enumerate(HOUR_WINDOWS):
        s.sums_z[:, scale, i] = s.hours_z[:, :length, i].sum(axis=1, dtype=np.int16)
    s.past_x[:, : min(hours, 24), i] = s.past_e[:, : min(hours, 24), i]
    ramp.forget(s, i, min(at // DAY - begun // DAY + 1, RAMP_DAYS), moved)
    s.gap[i] *= left > 0
    d.hours_before[:, :, i] = calibration.before_one(s, i, d.hour_pushed)

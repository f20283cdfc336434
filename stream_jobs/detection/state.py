"""What the detector remembers of a series: less than 4 KB. The last axis of every array is the series."""

from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.detection.arrays import Array, Arrays, Field
from stream_jobs.detection.scales import DAYS, HOURS, MEASURES, N_FAST, WEEK_HOURS, WINDOWS

VERSION: Final = 5
MINUTES: Final = 60
NOTHING: Final = MINUTES  # a row of the rings that stays 0
PARTIAL: Final = N_FAST  # the row of `actual` and `usual` that holds the present hour so far
ROWS: Final = N_FAST + 1
MINUTELY: Final = ROWS  # scales that are judged by minutes alone: the windows, and the hour so far
HOUR_WINDOWS: Final = (*HOURS, *DAYS)
PAST_HOURS: Final = 24
PAST_DAYS: Final = 8
RAMP_DAYS: Final = 18
RAMP_STEPS: Final = 1000.0  # levels of days are kept in steps of 1/1000
NEW_SERIES: Final = 6  # the kind of a finding that does not stop learning
REPEATS: Final = 1.4  # findings of a side within about three days
QUANTUM: Final = 16.0  # hours' deviates are kept in steps of 1/16

FIELDS: Final[dict[str, Field]] = {
    # the minutes of the last hour: what was, and what is usual
    "ring_x": ((MEASURES, MINUTES + 1), "f4", 0.0),
    "ring_e": ((MEASURES, MINUTES + 1), "f4", 0.0),
    "ring_dear": ((MINUTES,), "u1", 0.0),  # the dearest request of each minute; see `requests.py`
    "win_x": ((MEASURES, ROWS), "f8", 0.0),
    "win_e": ((MEASURES, ROWS), "f8", 0.0),
    # baseline: e^level * season
    "level": ((MEASURES,), "f8", -99.0),
    "trend": ((MEASURES,), "f4", 0.0),
    "num": ((MEASURES, WEEK_HOURS), "f2", 0.0),
    "visits": ((WEEK_HOURS,), "u1", 0.0),  # that taught a bin: `num` is a sum that forgets, and they tell its weight
    "line": (
        (4, MEASURES),
        "f4",
        0.0,
    ),  # of the usual minute in this hour: two straight pieces (at 0, slope; at 0, slope)
    "unsure": ((MEASURES,), "f4", 0.5),  # variance of the logarithm of what is usual in this hour
    "unsure_up": ((MEASURES,), "f4", 0.5),
    "unseen": ((), "f2", 0.0),  # the part of it that comes of an hour of the week that was never seen ...
    "unseen_before": ((), "f2", 0.0),  # ... and what there was more of it in the hour before
    "day_x": ((MEASURES,), "f4", 0.0),
    "day_e": ((MEASURES,), "f4", 0.0),
    "age": ((), "i4", 0.0),  # known hours
    "heard": ((), "f4", 0.0),  # known hours that came as minutes
    "peer": ((), "f4", 0.0),  # what series like it spend in an hour; 0: nobody knows
    # noise
    "squares": ((), "f8", 0.0),
    "money": ((), "f8", 0.0),
    "requests": ((), "f4", 0.0),
    "hour_squares": ((), "f8", 0.0),
    "tau2": ((MEASURES, N_FAST), "f4", 0.3),
    "tau2_up": ((MEASURES, N_FAST), "f4", 0.3),  # of what is above the usual alone
    "dear": ((3,), "f4", 0.0),  # the three greatest daily maxima of a request's cost
    "dear_today": ((), "f4", 0.0),
    "dear_at": ((), "i4", -1e9),  # minute of the last request that was taken out of the windows
    "dear_mean": ((2,), "f4", 0.0),  # of the logarithm of the daily maximum: mean, mean absolute deviation
    # deviates: of whole hours, their sums, and how wide each scale's are
    "mean_z": ((MEASURES,), "f4", 0.0),  # of whole hours' deviates
    "hours_z": ((MEASURES, WEEK_HOURS), "i1", 0.0),
    "sums_z": ((MEASURES, len(HOUR_WINDOWS)), "i2", 0.0),  # in the same steps
    "ramp_z": ((MEASURES,), "f4", 0.0),
    "days_level": ((MEASURES, RAMP_DAYS), "i2", 0.0),  # the last day first
    "day_num": ((MEASURES,), "f4", 0.0),  # of the day so far, see `ramp.py`
    "day_den": ((MEASURES,), "f4", 0.0),
    "trend_past": ((MEASURES,), "f4", 0.0),  # about a week ago
    "day_v": ((MEASURES,), "f4", 0.02),  # variance of a day's level
    "spread": ((2, MEASURES, WINDOWS), "f4", 1.0),  # upwards, downwards: mean square of the deviates on that side
    "record": ((2, MEASURES, 3), "f2", 0.0),  # three greatest daily maxima over the windows of hours
    "today": ((2, MEASURES), "f4", 0.0),
    "days": ((), "u1", 0.0),  # of which minutes were learned
    "habit": ((2,), "f2", 0.0),  # findings of hours at most that were told lately, upwards and downwards; fades
    "most": ((2, MEASURES, MINUTELY, 3), "f2", 0.0),  # three greatest daily maxima of each window of minutes
    "most_mean": ((2, MEASURES, MINUTELY, 2), "f2", 0.0),  # mean of the daily maximum, mean absolute deviation
    "most_today": ((2, MEASURES, MINUTELY), "f4", 0.0),
    "gap": ((), "f4", 0.0),  # usual requests since the last one
    "last": ((), "i4", 0.0),  # minute of the last request
    "gaps": ((3,), "f4", 0.0),  # the three longest of the daily longest gaps
    "gap_today": ((), "f4", 0.0),
    "gap_mean": ((2,), "f4", 0.0),  # of the daily longest gap: mean, mean absolute deviation
    "past_x": ((MEASURES, PAST_HOURS), "f4", 0.0),
    "past_e": ((MEASURES, PAST_HOURS), "f4", 0.0),
    "days_x": ((PAST_DAYS,), "f4", 0.0),
    "days_e": ((PAST_DAYS,), "f4", 0.0),
    # laid when an hour begins, for its minutes
    "known": ((), "i2", 0.0),  # minutes of this hour that are
    "phi": ((MEASURES,), "f4", 1.0),  # money of one request; 1 for requests
    "hour_v": ((MEASURES,), "f4", 1.0),  # variance of the logarithm of this whole hour
    "more": ((), "f4", 0.0),  # nats that a series needs more than one by itself
    "limit_up": ((MEASURES, WINDOWS), "f4", 1e30),
    "limit_down": ((MEASURES, WINDOWS), "f4", -1e30),
    "limit_gap": ((), "f4", 1e30),
    # the finding that is open
    "side": ((), "i1", 0.0),  # 1 up, -1 down, 0 none
    "begun": ((), "i4", 0.0),
    "told": ((), "i4", 0.0),
    "scale": ((), "i1", 0.0),
    "kind": ((), "i1", 0.0),
    "severity": ((), "i1", 0.0),
    "score": ((), "f4", 0.0),
    "told_score": ((), "f2", 0.0),
    "sum_x": ((), "f8", 0.0),
    "sum_e": ((), "f8", 0.0),
    "calm": ((), "i2", 0.0),  # minutes
    "ease": ((), "f2", 0.0),  # nats for that it is over
    "closed": ((), "i4", -1e9),  # minute of the last close
    "ground": ((), "f4", 0.0),  # of what is within a shift or a drop: the level of that, a logarithm beyond the usual
    "moved": ((MEASURES,), "f4", 0.0),  # what the level that was adopted last is beyond the one before, of logarithms
    "moved_at": ((), "i4", -1e9),
}


def row_of(side: int) -> int:
    """The index of a side (1 up, -1 down) in what is kept of both."""
    return 0 if side > 0 else 1


class State(Arrays):
    def __init__(self) -> None:
        super().__init__(FIELDS)

    def limits(self, side: int, i: int) -> Array:
        """[measures, windows] the deviates of series `i` towards a side (1 up, -1 down) beyond which they are news."""
        return np.asarray(self.limit_up[:, :, i] if side > 0 else -self.limit_down[:, :, i])

    @property
    def repeats(self) -> npt.NDArray[np.bool_]:
        """[series] whether what is open was told before, not long ago: it teaches how far the series goes."""
        return np.asarray((self.side != 0) & (self.habit.max(axis=0) >= REPEATS))

    @property
    def free(self) -> npt.NDArray[np.bool_]:
        """[series] whether nothing is open that stops learning."""
        return np.asarray((self.side == 0) | (self.kind == NEW_SERIES))

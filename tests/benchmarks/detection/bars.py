"""The floors and goals of detection on the pinned generator: what is promised, and what it is held against."""

from dataclasses import dataclass
from typing import Final

HOUR: Final = 60.0
DAY: Final = 24 * HOUR
RATES: Final = (100, 10, 1)  # requests a minute


@dataclass(frozen=True, slots=True)
class Bar:
    """`recall`: a floor. Delays in minutes: the floor is the most that the median may be."""

    recall: float
    delay: float
    goal: float | None = None


BARS: Final = {
    "spike10": (Bar(0.95, 5, 3), Bar(0.95, 20, 8), Bar(0.85, 40)),
    "night20": (Bar(0.98, 3, 1), Bar(0.98, 8, 3), Bar(0.95, 35)),
    "zero": (Bar(0.98, 6), Bar(0.98, 15, 8), Bar(0.98, 120)),
    "quad_day": (
        Bar(0.98, 75, 45),
        Bar(0.98, 100, 60),
        Bar(0.98, 4 * HOUR, 2 * HOUR),
    ),
    "double3": (
        Bar(0.98, 8 * HOUR, 5 * HOUR),
        Bar(0.98, 8 * HOUR, 5 * HOUR),
        Bar(0.95, 13 * HOUR, 8 * HOUR),
    ),
    "ramp5": (Bar(0.90, 7 * DAY, 5 * DAY), Bar(0.90, 7 * DAY, 5 * DAY), Bar(0.85, 8 * DAY)),
}
"""By shape, in the order of RATES."""

NOISES: Final = (
    "hourly:0.15",
    "hourly:0.35",
    "hourly:0.6",
    "minute:0.35",
    "hourly:0.35+growth:0.03",
    "hourly:0.35+growth:0.10",
    "growth:0.10",
    "hourly:0.35+day:0.15",
    "hourly:0.35+day:0.3",
    "day:0.3",
    "ar:0.35",
)
"""Growth, and days that differ, with the usual noise of the hour and alone."""
FALSE_ALERTS: Final = {100: (2.5, 1.0), 10: (4.0, 2.0), 1: (4.0, 2.0)}
"""Floor and goal by rate: at most so many per 1,000 series-days."""
AUTOCORRELATED: Final = (4.0, 6.0)  # floors at 100, and at fewer
CPU_MS: Final = (150.0, 30.0)  # 10,000 series, one minute
STATE_BYTES: Final = 4096.0  # of a series
PORTFOLIO: Final = 2.0  # alerts a week of 10,000 series

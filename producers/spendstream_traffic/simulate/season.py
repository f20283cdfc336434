"""How traffic rises and falls: hours, days, weekends, growth. Every weekly profile has the mean 1."""

from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOURS_PER_WEEK: Final = 168
_MONDAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
_GROWTH_DAYS: Final = 30.0


def _bump(hours: Floats, peak: float, width: float) -> Floats:
    """A smooth daily bump around the hour `peak`, 1 at its top; `width` in hours."""
    distance = np.abs((hours - peak + 12) % 24 - 12)
    return np.exp(-0.5 * (distance / width) ** 2)


def _profiles() -> dict[str, Floats]:
    hours = np.arange(HOURS_PER_WEEK, dtype=np.float64)
    weekday = hours // 24 < 5
    raw = {
        "business": np.where(weekday, 1.0, 0.22) * (0.12 + _bump(hours, 10.5, 2.4) + 0.95 * _bump(hours, 15.0, 2.4)),
        "consumer": np.where(weekday, 1.0, 1.25) * (0.25 + _bump(hours, 20.0, 3.2) + 0.45 * _bump(hours, 12.0, 2.5)),
        "nightly": 0.03 + _bump(hours, 2.5, 1.2),
        "flat": np.ones(HOURS_PER_WEEK),
    }
    return {name: values / values.mean() for name, values in raw.items()}


PROFILES: Final = _profiles()
"""Relative traffic at each hour of the week (Monday 00:00 UTC first); in between it is interpolated."""


def season_at(profile: str, at: datetime) -> float:
    """The factor of a profile at an instant."""
    hours = ((at - _MONDAY).total_seconds() / 3600) % HOURS_PER_WEEK
    values = PROFILES[profile]
    low = int(hours) % HOURS_PER_WEEK
    rest = hours - int(hours)
    return float(values[low] * (1 - rest) + values[(low + 1) % HOURS_PER_WEEK] * rest)


def growth_at(growth_per_30_days: float, days: float) -> float:
    """Exponential growth since the start of the run; 0.08 is 8 % more after 30 days."""
    return float((1 + growth_per_30_days) ** (days / _GROWTH_DAYS))

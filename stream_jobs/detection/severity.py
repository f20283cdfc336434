"""How bad: from surprise and money. A few cents are never an error, and a slow change is reported rather than paged."""

from typing import Final

from stream_jobs.detection.config import Config
from stream_jobs.detection.model import Severity

LEVELS: Final[tuple[Severity, ...]] = ("info", "warning", "error", "critical")


def severity(config: Config, nats: float, excess: float, per_day: float, usual_day: float, slow: bool, up: bool) -> int:
    """An index of LEVELS. Money counts in days of the series' own usual spend: what went so far, and a day more of
    it."""
    day = max(usual_day, 1e-300)
    so_far, rate = abs(excess) / day, abs(per_day) / day
    level = 1 + (rate >= 1.5) + (rate >= 8 or so_far >= 3) if up else 1 + (rate >= 0.8)
    if nats < 14:
        level = min(level, 1)
    if slow:
        level = min(level, 1 if so_far >= 0.5 else 0)
    if abs(per_day) < config.page_money:
        level = min(level, 1)
    if abs(excess) < config.page_money:
        level = min(level, 2)
    return level

"""What can be set of the detector. One default configuration serves every traffic that it is measured on."""

from dataclasses import dataclass
from typing import Final

DEFAULT_BUDGET: Final = 2.0
"""False alarms per 1,000 series-days that one series may cause, over all scales, measures and directions."""


@dataclass(frozen=True, slots=True)
class Config:
    """Money is in the unit of the costs that are fed (USD in the job). Shares are of what a series spends on a usual
    day."""

    budget: float = DEFAULT_BUDGET
    downward_nats: float = 2.0
    """What a drop needs more than a rise: few are worth waking somebody for."""
    floor_money: float = 1e-4
    """Less excess than this is never told, whatever the surprise."""
    floor_share: float = 0.0005
    """The excess so far must be at least this share of a day's usual spend."""
    floor_rate_share: float = 0.15
    """The excess per day, if it goes on, must be at least this share of a day's usual spend."""
    floor_slow_share: float = 0.03
    """The same for ramps and windows of days, which are reported early and page nobody."""
    adopt_minutes: int = 5040
    """A level that has lasted for 3.5 days is the new normal."""
    adopt_slow_minutes: int = 10080
    """The same for ramps and windows of days."""
    peers_times: float = 100.0
    """A series in its first day is told when it spends so many times what series like it spend in an hour."""
    page_money: float = 1.0
    """Less excess per day than this is never more severe than a warning, and less of it so far than an error."""
    dear_share: float = 0.25
    """A single request is told when it costs this share of a day's usual spend, and `dear_factor` times ..."""
    dear_factor: float = 3.0
    """... the dearest requests of the days so far (the third greatest daily maximum)."""

"""What the job 'forecasts' says of one place: how its period will end, and the chances. Plain."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from stream_jobs.forecasting.protocol import CLEAR_BELOW


@dataclass(frozen=True, slots=True)
class Chance:
    """Of passing one threshold."""

    probability: float
    raised_since: datetime | None  # by the protocol; None: it is not

    def holds(self, *, is_open: bool) -> bool:
        """Whether people are told. `is_open`: they are now, perhaps by the rate of lately, before there was a forecast:
        that is taken back where the protocol would."""
        return self.raised_since is not None or (is_open and self.probability >= CLEAR_BELOW)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Figures are as they are kept: in USD, or what a quota counts. Quantiles are of the whole period."""

    run: datetime  # as of when
    amount: Decimal  # that the chances are about
    p10: Decimal
    p50: Decimal
    p90: Decimal
    chances: Mapping[Decimal, Chance]  # by percent of the amount, to the thousandth
    gone: tuple[datetime | None, datetime | None, datetime | None]  # P10, P50 and P90 of when it is used up
    label: str
    why: str
    is_stale: bool  # there should be a newer one: it takes nothing back, and says nothing new

    @property
    def is_raised(self) -> bool:
        return any(chance.raised_since is not None for chance in self.chances.values())

    @property
    def raised_percents(self) -> list[Decimal]:
        """That the period will end above these, rising; also by one that is stale, which takes nothing back."""
        return sorted(percent for percent, chance in self.chances.items() if chance.raised_since is not None)
